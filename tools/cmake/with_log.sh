#!/bin/sh
# with_log.sh LOG COMMAND…: what the command says on stderr goes to LOG, and is shown where the command fails.
log=$1
shift
"$@" 2>"$log" || {
  status=$?
  cat "$log" >&2
  exit "$status"
}
