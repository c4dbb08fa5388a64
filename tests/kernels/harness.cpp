#include "tests/kernels/harness.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>
#include <exception>
#include <numeric>
#include <sstream>
#include <utility>

#include "tests/support/simt/float16.h"

namespace lil::tests {
namespace {

using kernels::DType;
using kernels::Status;

constexpr std::byte kGuard{0xA5};

/// Runs of elements that are poison and runs of others: act(first, count, poison).
template <class T, class Act>
void for_runs(const std::vector<T>& values, const Act& act) {
  for (std::size_t first = 0; first < values.size();) {
    const bool poison = is_poison(values[first]);
    std::size_t end = first + 1;
    while (end < values.size() && is_poison(values[end]) == poison) ++end;
    act(static_cast<std::int64_t>(first), static_cast<std::int64_t>(end - first), poison);
    first = end;
  }
}

/// Copies elements of `bytes` bytes each and takes the flag off those that are poison.
template <class T>
void upload(TestDevice& device, void* to, const std::vector<std::byte>& image, const std::vector<T>& values) {
  if (values.empty()) return;
  const std::int64_t bytes = static_cast<std::int64_t>(image.size() / values.size());
  device.copy_in(to, image.data(), static_cast<std::int64_t>(image.size()));
  for_runs(values, [&](std::int64_t first, std::int64_t count, bool poison) {
    if (poison) device.mark_unwritten(static_cast<std::byte*>(to) + first * bytes, count * bytes);
  });
}

template <class T>
T poison_of();
template <>
float poison_of<float>() {
  return kPoison;
}
template <>
std::int32_t poison_of<std::int32_t>() {
  return kPoisonIndex;
}

template <class T>
std::vector<std::byte> image_of(const std::vector<T>& values) {
  std::vector<std::byte> image(values.size() * sizeof(T));
  if (!image.empty()) std::memcpy(image.data(), values.data(), image.size());
  return image;
}

std::uint16_t bits16(DType dtype, float value) {
  if (std::isnan(value)) return 0xFFFF;
  return dtype == DType::kFp16 ? simt::half_of_float(value) : simt::bf16_of_float(value);
}

float value16(DType dtype, std::uint16_t bits) {
  return dtype == DType::kFp16 ? simt::float_of_half(bits) : simt::float_of_bf16(bits);
}

std::vector<std::byte> image_of(DType dtype, const std::vector<float>& values) {
  if (dtype == DType::kFp32) return image_of(values);
  std::vector<std::uint16_t> words(values.size());
  std::transform(values.begin(), values.end(), words.begin(),
                 [dtype](float value) { return bits16(dtype, value); });
  return image_of(words);
}

std::string at_element(std::size_t i, double actual, double expected) {
  std::ostringstream text;
  text.precision(9);
  text << "element " << i << " is " << actual << ", expected " << expected;
  return text.str();
}

/// Where two runs' arrays differ; empty if they don't.
std::string difference(const TestDevice::Contents& first, const TestDevice::Contents& other) {
  for (const auto& [name, bytes] : other) {
    const std::vector<std::byte>& expected = first.at(name);
    const auto differs = std::mismatch(bytes.begin(), bytes.end(), expected.begin()).first;
    if (differs != bytes.end()) {
      return "the bytes of array " + name + " differ from the first run's, from byte " +
             std::to_string(differs - bytes.begin()) + " on";
    }
  }
  return {};
}

bool is_close(Tolerance tolerance, double actual, double expected) {
  if (std::isinf(expected) || std::isinf(actual)) return actual == expected;
  return std::abs(actual - expected) <= tolerance.absolute + tolerance.relative * std::abs(expected);
}

}  // namespace

// ---- devices

void* TestDevice::allocate(const std::string& name, std::int64_t bytes) {
  const std::int64_t guard = guard_bytes();
  std::byte* raw = static_cast<std::byte*>(raw_allocate(name, bytes + 2 * guard));
  if (guard > 0) {
    const std::vector<std::byte> zone(static_cast<std::size_t>(guard), kGuard);
    copy_in(raw, zone.data(), guard);
    copy_in(raw + guard + bytes, zone.data(), guard);
  }
  void* data = raw + guard;
  blocks_[data] = {std::to_string(allocations_++) + " " + name, raw, bytes};
  return data;
}

void TestDevice::free(void* data) {
  const auto found = blocks_.find(data);
  assert(found != blocks_.end());
  const Block block = found->second;
  blocks_.erase(found);
  try {
    look_at_guards(data, block);
  } catch (const std::exception& error) {  // destructors call this: it would end the program
    ADD_FAILURE() << "the guards of array " << block.name << " could not be read: " << error.what();
  }
  raw_free(block.raw);
}

void TestDevice::look_at_guards(void* data, const Block& block) {
  const std::int64_t guard = guard_bytes();
  if (guard == 0) return;
  std::vector<std::byte> zone(static_cast<std::size_t>(guard));
  for (const std::int64_t begin : {-guard, block.bytes}) {
    copy_out(zone.data(), static_cast<std::byte*>(data) + begin, guard);
    const auto changed = std::find_if(zone.begin(), zone.end(), [](std::byte b) { return b != kGuard; });
    if (changed != zone.end()) {
      ADD_FAILURE() << "something wrote byte " << begin + (changed - zone.begin()) << " of array "
                    << block.name << ", which has " << block.bytes;
    }
  }
}

void TestDevice::mark_unwritten(void* /*data*/, std::int64_t /*bytes*/) {}
void TestDevice::set_order(int /*order*/) {}
void TestDevice::set_written(void* /*data*/, const std::vector<std::byte>& /*written*/) {}
std::vector<std::byte> TestDevice::written(const void* /*data*/, std::int64_t /*bytes*/) {
  return {};
}

TestDevice::Contents TestDevice::contents() {
  Contents all;
  for (const auto& [data, block] : blocks_) {
    std::vector<std::byte>& bytes = all[block.name];
    bytes.resize(static_cast<std::size_t>(block.bytes));
    copy_out(bytes.data(), data, block.bytes);
    const std::vector<std::byte> flags = written(data, block.bytes);
    bytes.insert(bytes.end(), flags.begin(), flags.end());
  }
  return all;
}

void TestDevice::restore(const Contents& contents) {
  for (const auto& [data, block] : blocks_) {
    const std::vector<std::byte>& bytes = contents.at(block.name);
    copy_in(data, bytes.data(), block.bytes);
    set_written(data, {bytes.begin() + block.bytes, bytes.end()});
  }
}

std::vector<DeviceEntry> devices_of(std::string_view kind) {
  std::vector<DeviceEntry> found;
  std::copy_if(devices().begin(), devices().end(), std::back_inserter(found),
               [kind](const DeviceEntry& entry) { return entry.kind == kind; });
  return found;
}

std::string name_of_device(const ::testing::TestParamInfo<DeviceEntry>& info) {
  return info.param.name;
}

void PrintTo(const DeviceEntry& entry, std::ostream* out) {
  *out << entry.name;
}

// ---- fixture

void KernelTest::SetUp() {
  std::string why_not;
  device_ = GetParam().make(why_not);
  if (device_ == nullptr) GTEST_SKIP() << why_not;
}

void KernelTest::TearDown() {
  if (device_ != nullptr) device_->finish();
}

void KernelTest::run(const std::function<Status()>& launcher) {
  const Status status = launcher();
  EXPECT_EQ(status, Status::kOk) << to_string(status);
  device_->finish();
}

void KernelTest::run_and_repeat(const std::function<Status()>& launcher) {
  const TestDevice::Contents before = device_->contents();
  run(launcher);
  const TestDevice::Contents first = device_->contents();
  for (int order = 1; order < device_->orders() && !HasFailure(); ++order) {
    device_->restore(before);
    device_->set_order(order);
    run(launcher);
    device_->set_order(0);
    const std::string differs = difference(first, device_->contents());
    if (!differs.empty()) {
      ADD_FAILURE() << "in order " << order << " " << differs;
      return;
    }
  }
}

// ---- poison

bool is_poison(float value) {
  return std::isnan(value);
}
bool is_poison(std::int32_t value) {
  return value == kPoisonIndex;
}
std::vector<float> poisoned(std::int64_t count) {
  return std::vector<float>(static_cast<std::size_t>(count), kPoison);
}
std::vector<std::int32_t> poisoned_indices(std::int64_t count) {
  return std::vector<std::int32_t>(static_cast<std::size_t>(count), kPoisonIndex);
}

// ---- arrays

template <class T>
DeviceArray<T>::DeviceArray(TestDevice& device, const std::string& name, std::int64_t count)
    : device_(device),
      count_(count),
      data_(static_cast<T*>(device.allocate(name, count * static_cast<std::int64_t>(sizeof(T))))) {
  poison(0, count);
}

template <class T>
DeviceArray<T>::DeviceArray(TestDevice& device, const std::string& name, const std::vector<T>& values)
    : device_(device),
      count_(static_cast<std::int64_t>(values.size())),
      data_(static_cast<T*>(device.allocate(name, count_ * static_cast<std::int64_t>(sizeof(T))))) {
  write(values);
}

template <class T>
void DeviceArray<T>::write(const std::vector<T>& values, std::int64_t first) {
  assert(first >= 0 && first + static_cast<std::int64_t>(values.size()) <= count_);
  upload(device_, data_ + first, image_of(values), values);
}

template <class T>
std::vector<T> DeviceArray<T>::read() const {
  std::vector<T> values(static_cast<std::size_t>(count_));
  device_.copy_out(values.data(), data_, count_ * static_cast<std::int64_t>(sizeof(T)));
  return values;
}

template <class T>
void DeviceArray<T>::poison(std::int64_t first, std::int64_t count) {
  write(std::vector<T>(static_cast<std::size_t>(count), poison_of<T>()), first);
}

template class DeviceArray<float>;
template class DeviceArray<std::int32_t>;

DeviceTensor::DeviceTensor(TestDevice& device, const std::string& name, DType dtype, std::int64_t count)
    : device_(device), dtype_(dtype), count_(count), data_(device.allocate(name, count * bytes_of(dtype))) {
  poison(0, count);
}

DeviceTensor::DeviceTensor(TestDevice& device, const std::string& name, DType dtype,
                           const std::vector<float>& values)
    : device_(device),
      dtype_(dtype),
      count_(static_cast<std::int64_t>(values.size())),
      data_(device.allocate(name, count_ * bytes_of(dtype))) {
  write(values);
}

void* DeviceTensor::at(std::int64_t element) const {
  return static_cast<std::byte*>(data_) + element * bytes_of(dtype_);
}

void DeviceTensor::write(const std::vector<float>& values, std::int64_t first) {
  assert(first >= 0 && first + static_cast<std::int64_t>(values.size()) <= count_);
  upload(device_, at(first), image_of(dtype_, values), values);
}

std::vector<std::uint32_t> DeviceTensor::bits() const {
  std::vector<std::uint32_t> bits(static_cast<std::size_t>(count_));
  if (dtype_ == DType::kFp32) {
    device_.copy_out(bits.data(), data_, count_ * 4);
  } else {
    std::vector<std::uint16_t> words(bits.size());
    device_.copy_out(words.data(), data_, count_ * 2);
    std::copy(words.begin(), words.end(), bits.begin());
  }
  return bits;
}

std::vector<double> DeviceTensor::read() const {
  const std::vector<std::uint32_t> elements = bits();
  std::vector<double> values(elements.size());
  std::transform(elements.begin(), elements.end(), values.begin(), [this](std::uint32_t element) {
    return dtype_ == DType::kFp32 ? double{std::bit_cast<float>(element)}
                                  : double{value16(dtype_, static_cast<std::uint16_t>(element))};
  });
  return values;
}

void DeviceTensor::poison(std::int64_t first, std::int64_t count) {
  write(poisoned(count), first);
}

double rounded(DType dtype, float value) {
  return dtype == DType::kFp32 ? double{value} : double{value16(dtype, bits16(dtype, value))};
}

std::vector<double> rounded(DType dtype, const std::vector<float>& values) {
  std::vector<double> result(values.size());
  std::transform(values.begin(), values.end(), result.begin(),
                 [dtype](float value) { return rounded(dtype, value); });
  return result;
}

std::vector<std::uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits(values.size());
  std::transform(values.begin(), values.end(), bits.begin(),
                 [](float value) { return std::bit_cast<std::uint32_t>(value); });
  return bits;
}

// ---- comparisons

Tolerance tolerance_of(DType dtype) {
  switch (dtype) {
    case DType::kFp32:
      return {2e-5, 2e-5};
    case DType::kFp16:
      return {2e-3, 2e-3};
    case DType::kBf16:
      return {1.6e-2, 1e-2};
  }
  return {};
}

void expect_close(Tolerance tolerance, const std::vector<double>& actual,
                  const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  std::size_t wrong = 0;
  std::size_t first = 0;
  std::size_t worst = 0;
  double worst_error = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (is_close(tolerance, actual[i], expected[i])) continue;
    if (wrong++ == 0) first = i;
    const double error = std::abs(actual[i] - expected[i]);
    if (error > worst_error || wrong == 1) worst = i;
    worst_error = std::max(worst_error, error);
  }
  if (wrong == 0) return;
  ADD_FAILURE() << wrong << " of " << actual.size()
                << " elements are not close: " << at_element(first, actual[first], expected[first])
                << (worst == first ? ""
                                   : "; the worst: " + at_element(worst, actual[worst], expected[worst]));
}

void expect_close(Tolerance tolerance, const std::vector<float>& actual,
                  const std::vector<double>& expected) {
  expect_close(tolerance, std::vector<double>(actual.begin(), actual.end()), expected);
}
void expect_close(DType dtype, const std::vector<double>& actual, const std::vector<double>& expected) {
  expect_close(tolerance_of(dtype), actual, expected);
}
void expect_close(DType dtype, const std::vector<float>& actual, const std::vector<double>& expected) {
  expect_close(tolerance_of(dtype), actual, expected);
}

// ---- test
// grid

const char* name_of(DType dtype) {
  return dtype == DType::kFp32 ? "fp32" : dtype == DType::kFp16 ? "fp16" : "bf16";
}

std::vector<std::int64_t> lengths_for(const TestDevice& device) {
  std::vector<std::int64_t> lengths;
  std::copy_if(kLengths.begin(), kLengths.end(), std::back_inserter(lengths),
               [&](std::int64_t length) { return length <= device.longest_list(); });
  return lengths;
}

std::uint64_t Random::bits() {
  state_ += 0x9E3779B97F4A7C15U;  // splitmix64 [Steele 2014]
  std::uint64_t bits = state_;
  bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9U;
  bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBU;
  return bits ^ (bits >> 31);
}

float Random::uniform(float low, float high) {
  return low + (high - low) * (static_cast<float>(bits() >> 40) * 0x1p-24F);
}

std::int64_t Random::index(std::int64_t count) {
  return static_cast<std::int64_t>(bits() % static_cast<std::uint64_t>(count));
}

float Random::normal() {
  float sum = 0;
  for (int i = 0; i < 12; ++i) sum += uniform(-0.5F, 0.5F);  // each has variance 1/12
  return sum;
}

std::vector<float> Random::floats(std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  std::generate(values.begin(), values.end(), [this] { return normal(); });
  return values;
}

std::vector<std::int32_t> Random::permutation(std::int64_t count) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[static_cast<std::size_t>(index(static_cast<std::int64_t>(i)))]);
  }
  return order;
}

}  // namespace lil::tests
