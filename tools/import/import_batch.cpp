#include "tools/import/import_batch.h"

#include <fmt/format.h>

#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "schemas/error.h"

namespace lil::tools {
namespace {

using record::Tokenizer;

std::string text_of_ids(const Tokenizer& tokenizer, const std::vector<schemas::TokenId>& ids) {
  std::string text;
  tokenizer.vocabulary().append_text(ids, text);
  return text;
}

void use_recorded_ids(ImportItem& item, const Tokenizer& tokenizer) {
  LogRecord& log = item.log;
  const std::string text = text_of_ids(tokenizer, *log.ids);
  item.text_differs = !log.joined && !log.output.empty() && text != log.output;
  item.ids = *std::move(log.ids);
  if (log.prompt_ids) {
    static_cast<void>(text_of_ids(tokenizer, *log.prompt_ids));
    item.prompt_ids = *std::move(log.prompt_ids);
    log.prompt.clear();
  }
  item.prompt_retokenized = !log.prompt.empty();
}

void tokenize_item(ImportItem& item, const Tokenizer& tokenizer) {
  if (!item.failure.empty() || item.stored) return;
  try {
    if (item.run->token_source() == schemas::TokenSource::kRecorded) {
      use_recorded_ids(item, tokenizer);
    } else {
      item.ids = tokenizer.encode(item.log.output, Tokenizer::SpecialTokens::kAsText);
    }
    if (!item.log.prompt.empty()) {
      item.prompt_ids = tokenizer.encode(item.log.prompt, Tokenizer::SpecialTokens::kAsText);
    }
  } catch (const Error& error) {
    item.failure = fmt::format("problem '{}': {}", item.problem_id, error.what());
  }
  std::string().swap(item.log.output);
}

}  // namespace

void tokenize(std::vector<ImportItem>& items, const Tokenizer& tokenizer, int threads,
              const std::atomic<bool>* cancel) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr first_exception;
  std::mutex mutex;
  const auto work = [&] {
    try {
      for (std::size_t i = next++; i < items.size(); i = next++) {
        if (cancel != nullptr && *cancel) return;
        tokenize_item(items[i], tokenizer);
      }
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      if (!first_exception) first_exception = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (int i = 1; i < threads; ++i) helpers.emplace_back(work);
    work();
  }
  if (first_exception) std::rethrow_exception(first_exception);
}

}  // namespace lil::tools
