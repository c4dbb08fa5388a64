#ifndef LIL_GUARDIAN_H_
#define LIL_GUARDIAN_H_

/*
 * Stops a live generation where its text stops saying anything new: the signals and rules of Lil for the
 * decode loop of another engine. The library that replays recordings is the one behind this, so a generation
 * stops here on the very token that `lil replay` and `lil analyze` name for the recorded one.
 *
 *   lil_guardian* guardian = lil_guardian_new("guardian(f=250,t=20,signal=zlib)", error, sizeof error);
 *   for each request:
 *     lil_guardian_start(guardian, prompt, prompt_bytes);
 *     for each generated token:
 *       if (lil_guardian_push(guardian, piece, piece_bytes) == LIL_STOP) end the request;
 *   lil_guardian_free(guardian);
 *
 * A guardian watches one generation at a time and is used by one thread at a time; different ones are
 * independent. No function throws, prints, or ends the program; for a NULL guardian the answer is LIL_ERROR.
 *
 * What watching costs with zlib(level=6): 0.1 to 0.3 microseconds a token, in which a check every 250 tokens
 * has some 4 to 9 (one core of a Xeon of 2.6 GHz; `lil compare --cost` measures the others). About 200 kB of
 * memory.
 *
 * Where a generation ends by itself or at its cap with the very token that LIL_STOP answers, that end is what
 * a recording would say.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define LIL_API
#else
#define LIL_API __attribute__((visibility("default")))
#endif

/* NOLINTBEGIN(modernize-use-using,readability-identifier-naming): this is C. */
typedef struct lil_guardian lil_guardian;

typedef enum lil_decision {
  LIL_ERROR = -1, /* lil_guardian_error() has the sentence; the generation is not watched any longer */
  LIL_GO_ON = 0,
  LIL_STOP = 1 /* stop after this token; push no more before the next start */
} lil_decision;
/* NOLINTEND(modernize-use-using,readability-identifier-naming) */

/*
 * A guardian from a rule with `signal` and `stream` among its parameters, as
 * `guardian(f=250,t=20,signal=zlib(level=6),stream=text)`; what is left out stands at its default. NULL where
 * the text names something unknown or out of range; then `error`, if not NULL, gets a sentence, cut to
 * `error_capacity` bytes with the terminating zero.
 */
LIL_API lil_guardian* lil_guardian_new(const char* spec, char* error, size_t error_capacity);

/* NULL is allowed. */
LIL_API void lil_guardian_free(lil_guardian* guardian);

/* The rule with every parameter named; lives as long as the guardian. */
LIL_API const char* lil_guardian_spec(const lil_guardian* guardian);

/*
 * Begins a generation, and forgets the one before. `prompt` counts only for the streams `prompt+text` (its
 * bytes) and `prompt+ids32` (its token ids as int32_t, little-endian); it may be NULL with 0 bytes.
 */
LIL_API lil_decision lil_guardian_start(lil_guardian* guardian, const void* prompt, size_t prompt_bytes);

/*
 * One more generated token: the bytes of text that it adds, which may be none or a part of a character. For
 * the streams `text` and `prompt+text`.
 */
LIL_API lil_decision lil_guardian_push(lil_guardian* guardian, const void* bytes, size_t count);

/* One more generated token by its id. For the streams `ids32` and `prompt+ids32`. */
LIL_API lil_decision lil_guardian_push_id(lil_guardian* guardian, int32_t id);

/* Tokens pushed since the last start. */
LIL_API int64_t lil_guardian_tokens(const lil_guardian* guardian);

/* What went wrong at the last call that answered LIL_ERROR, or "". Lives until the next call. */
LIL_API const char* lil_guardian_error(const lil_guardian* guardian);

#ifdef __cplusplus
}
#endif

#endif
