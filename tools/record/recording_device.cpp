#include "tools/record/recording_device.h"

#include <fmt/format.h>

#include <fstream>
#include <string_view>

#include "record/torch/cuda.h"
#include "schemas/error.h"

namespace lil::tools {
namespace {

bool is_cpu(const record::Device& device) {
  return std::string_view(device.name()) == "cpu";
}

}  // namespace

std::unique_ptr<record::Device> make_device(const std::string& name, int threads) {
  if (name == "cpu") return record::make_cpu_device(threads);
  if (name == "cuda") return record::make_cuda_device();
  throw Error(ErrorCode::kUsage, fmt::format("--device: unknown device '{}'; known are: cpu, cuda", name));
}

std::unique_ptr<record::LanguageModel> load_model(const std::filesystem::path& folder, record::Device& device,
                                                  const record::ModelOptions& options) {
  return is_cpu(device) ? record::load_language_model(folder, device, options)
                        : record::load_cuda_model(folder, device, options);
}

std::int64_t free_memory_bytes(const record::Device& device) {
  if (!is_cpu(device)) return record::free_cuda_memory();
  constexpr std::int64_t kKibibyte = 1024;
  std::ifstream file("/proc/meminfo");
  for (std::string key; file >> key;) {
    std::int64_t kibibytes = 0;
    if (key == "MemAvailable:" && file >> kibibytes) return kibibytes * kKibibyte;
  }
  return 0;
}

std::int64_t weights_bytes(const std::filesystem::path& folder) {
  std::int64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".safetensors") bytes += static_cast<std::int64_t>(entry.file_size());
  }
  return bytes;
}

}  // namespace lil::tools
