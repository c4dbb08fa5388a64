/*
 * A decode loop of another engine with Lil's guardian in it. The "model" repeats a file over and over, cut into
 * tokens of four bytes: the guardian should stop it soon after its text begins to repeat.
 *
 *   decode_loop FILE [RULE]        as RULE: guardian(f=250,t=20,signal=zlib)
 *
 * Prints where it stopped, and what watching cost per token.
 */
#include <lil/lil_guardian.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { kTokenBytes = 4, kMostBytes = 1 << 16, kMostTokens = 200000 };

static double now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* The next token of the model: here the file's next bytes, from the start again at its end. */
static size_t next_token(const char* text, size_t length, long step, const char** piece) {
  const size_t tokens = (length + kTokenBytes - 1) / kTokenBytes;
  const size_t begin = (size_t)step % tokens * kTokenBytes;
  *piece = text + begin;
  return length - begin < kTokenBytes ? length - begin : kTokenBytes;
}

static int generate(lil_guardian* guardian, const char* text, size_t length) {
  double watching_us = 0;
  long step = 0;
  lil_decision decision = lil_guardian_start(guardian, NULL, 0);
  while (decision == LIL_GO_ON && step < kMostTokens) {
    const char* piece;
    const size_t bytes = next_token(text, length, step++, &piece);
    const double before_us = now_us();
    decision = lil_guardian_push(guardian, piece, bytes);
    watching_us += now_us() - before_us;
  }
  if (decision == LIL_ERROR) {
    fprintf(stderr, "decode_loop: %s\n", lil_guardian_error(guardian));
    return 1;
  }
  printf("%s after %ld tokens\n", decision == LIL_STOP ? "stopped" : "went on to the cap", step);
  fprintf(stderr, "watching cost %.2f us a token\n", watching_us / (double)step);
  return 0;
}

int main(int argc, char** argv) {
  static char text[kMostBytes];
  char error[256] = "";
  const char* rule = argc > 2 ? argv[2] : "guardian(f=250,t=20,signal=zlib)";
  FILE* file = argc > 1 ? fopen(argv[1], "rb") : NULL;
  if (file == NULL) {
    fprintf(stderr, "usage: decode_loop FILE [RULE]\n");
    return 2;
  }
  const size_t length = fread(text, 1, sizeof text, file);
  fclose(file);
  lil_guardian* guardian = lil_guardian_new(rule, error, sizeof error);
  if (guardian == NULL || length == 0) {
    fprintf(stderr, "decode_loop: %s\n", guardian == NULL ? error : "the file is empty");
    lil_guardian_free(guardian);
    return 1;
  }
  printf("watching with %s\n", lil_guardian_spec(guardian));
  const int status = generate(guardian, text, length);
  lil_guardian_free(guardian);
  return status;
}
