#pragma once

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend.h"

// One test body for every backend that is there:
//
//   class MergeStates : public KernelTest {};
//   LIL_ON_EVERY_DEVICE(MergeStates);
//
//   TEST_P(MergeStates, SmallEveryType) {
//     for (const DType dtype : kDTypes) {
//       SCOPED_TRACE(name_of(dtype));
//       Random random(7);
//       DeviceArray<float> lse(device(), "lse", random.floats(4));
//       DeviceTensor out(device(), "out", dtype, 4 * 64);  // nothing wrote it yet
//       …
//       run_and_repeat([&] { return backend().merge_states(args, stream()); });
//       expect_close(dtype, out.read(), oracle);
//     }
//   }
//
// gives `Cpu/MergeStates.SmallEveryType/one_thread`, `…/three_threads`, `Emulated/MergeStates.…/fibers`, and
// in the program kernels_cuda_test `Cuda/MergeStates.…/gpu`. Test cases whose name begins with `Small` take a
// few hundred tokens at most and together cover each kernel, type, head size and group.
namespace lil::tests {

// ---- devices

/// Memory of a device and the backend that works in it. One is made for each test.
class TestDevice {
 public:
  TestDevice() = default;
  virtual ~TestDevice() = default;
  TestDevice(const TestDevice&) = delete;
  TestDevice& operator=(const TestDevice&) = delete;

  [[nodiscard]] virtual const kernels::Backend& backend() const = 0;
  [[nodiscard]] virtual kernels::Stream stream() const = 0;

  /// Longest lists that this device gets through in the time of a test.
  [[nodiscard]] virtual std::int64_t longest_list() const = 0;

  /// Memory that begins at a multiple of 256 bytes, with guards on both sides; nothing is written in it.
  [[nodiscard]] void* allocate(const std::string& name, std::int64_t bytes);
  /// A test failure if a guard was written to or can't be read any more; throws nothing.
  void free(void* data);

  virtual void copy_in(void* to, const void* from, std::int64_t bytes) = 0;
  virtual void copy_out(void* to, const void* from, std::int64_t bytes) = 0;

  /// From now on a kernel's reading of these bytes is a fault, until something writes them, on devices that
  /// can tell. Their contents stay: who calls it has filled them with poison.
  virtual void mark_unwritten(void* data, std::int64_t bytes);

  /// Waits until all work is done; a test failure if some of it failed, with all that is known about it.
  virtual void finish() = 0;

  /// How many orders of threads and blocks run_and_repeat tries, the first among them: 1 or more.
  [[nodiscard]] virtual int orders() const { return 2; }
  /// The order of the launches to come; 0 is the first. Where orders cannot be chosen this does nothing.
  virtual void set_order(int order);

  /// Every live allocation's bytes by name and number, and back.
  using Contents = std::map<std::string, std::vector<std::byte>>;
  [[nodiscard]] Contents contents();
  void restore(const Contents& contents);

 protected:
  virtual void* raw_allocate(const std::string& name, std::int64_t bytes) = 0;
  virtual void raw_free(void* data) = 0;
  /// Bytes written before and after each allocation and looked at when it is freed; 0 where the device itself
  /// sees each access. A multiple of 256.
  [[nodiscard]] virtual std::int64_t guard_bytes() const { return 256; }
  /// Which bytes something wrote, one byte each, and back; only where mark_unwritten does something.
  [[nodiscard]] virtual std::vector<std::byte> written(const void* data, std::int64_t bytes);
  virtual void set_written(void* data, const std::vector<std::byte>& written);

 private:
  struct Block {
    std::string name;
    void* raw = nullptr;
    std::int64_t bytes = 0;
  };
  void look_at_guards(void* data, const Block& block);

  std::map<void*, Block> blocks_;
  int allocations_ = 0;
};

/// One row of a program's table of devices.
struct DeviceEntry {
  std::string kind;  ///< "Cpu", "Emulated" or "Cuda": stands before the names of tests
  std::string name;  ///< "one_thread": stands after them
  /// The device, or null with a sentence in `why_not`: the tests are skipped with it.
  std::function<std::unique_ptr<TestDevice>(std::string& why_not)> make;
};

/// Defined once in each program: kernels_test has Cpu and Emulated, kernels_cuda_test has Cuda.
[[nodiscard]] const std::vector<DeviceEntry>& devices();

/// Those of one kind.
[[nodiscard]] std::vector<DeviceEntry> devices_of(std::string_view kind);

[[nodiscard]] std::string name_of_device(const ::testing::TestParamInfo<DeviceEntry>& info);
// NOLINTNEXTLINE(readability-identifier-naming): the name that gtest looks for
void PrintTo(const DeviceEntry& entry, std::ostream* out);

// ---- fixture

/// Base of the suites. Not for suites that need a constructor of their own kind of parameter.
class KernelTest : public ::testing::TestWithParam<DeviceEntry> {
 protected:
  void SetUp() override;     ///< makes the device, or skips
  void TearDown() override;  ///< finish()

  [[nodiscard]] TestDevice& device() { return *device_; }
  [[nodiscard]] const kernels::Backend& backend() const { return device_->backend(); }
  [[nodiscard]] kernels::Stream stream() const { return device_->stream(); }

  /// Runs a launcher once and waits for it; a test failure unless it answers kOk.
  void run(const std::function<kernels::Status()>& launcher);

  /// Runs a launcher, then again from the same memory in other orders of threads and blocks (on devices where
  /// these cannot be chosen: once more as it is); a test failure unless every byte of every live array ends
  /// up the same. Arrays hold the result afterwards. `launcher` may be a sequence of calls, and may run
  /// again.
  void run_and_repeat(const std::function<kernels::Status()>& launcher);

 private:
  std::unique_ptr<TestDevice> device_;
};

/// The suite's tests, on each device of the program.
#define LIL_ON_EVERY_DEVICE(suite)         \
  LIL_ON_DEVICES_OF_KIND(Cpu, suite);      \
  LIL_ON_DEVICES_OF_KIND(Emulated, suite); \
  LIL_ON_DEVICES_OF_KIND(Cuda, suite)

/// The suite's tests, on the processor alone (linear).
#define LIL_ON_CPU(suite)                               \
  GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(suite); \
  LIL_ON_DEVICES_OF_KIND(Cpu, suite)

#define LIL_ON_DEVICES_OF_KIND(kind, suite)                                                   \
  INSTANTIATE_TEST_SUITE_P(kind, suite, ::testing::ValuesIn(::lil::tests::devices_of(#kind)), \
                           ::lil::tests::name_of_device)

// ---- poison

/// Stands in host vectors for what nothing wrote. Uploading such an element writes poison and marks it
/// unwritten, so a kernel that reads it is at fault (emulated) or computes nonsense (elsewhere).
inline constexpr float kPoison =
    std::bit_cast<float>(0xFFFFFFFFU);             // a NaN; any NaN in a host vector is poison
constexpr std::int32_t kPoisonIndex = 0x7F7F7F7F;  // far beyond every array

[[nodiscard]] bool is_poison(float value);
[[nodiscard]] bool is_poison(std::int32_t value);

/// `count` elements that nothing wrote, to fill in rows with strides between them.
[[nodiscard]] std::vector<float> poisoned(std::int64_t count);
[[nodiscard]] std::vector<std::int32_t> poisoned_indices(std::int64_t count);

// ---- arrays

/// Elements in a device's memory, freed with the object: float or std::int32_t.
template <class T>
class DeviceArray {
 public:
  /// Nothing has written it.
  DeviceArray(TestDevice& device, const std::string& name, std::int64_t count);
  DeviceArray(TestDevice& device, const std::string& name, const std::vector<T>& values);
  ~DeviceArray() { device_.free(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  [[nodiscard]] T* data() const { return data_; }
  [[nodiscard]] std::int64_t size() const { return count_; }

  /// Overwrites elements from `first`.
  void write(const std::vector<T>& values, std::int64_t first = 0);
  /// All elements; what nothing wrote is poison.
  [[nodiscard]] std::vector<T> read() const;
  /// Makes elements unreadable again.
  void poison(std::int64_t first, std::int64_t count);

 private:
  TestDevice& device_;
  std::int64_t count_;
  T* data_;
};

/// Elements of a DType in a device's memory.
class DeviceTensor {
 public:
  /// Nothing has written it.
  DeviceTensor(TestDevice& device, const std::string& name, kernels::DType dtype, std::int64_t count);
  /// Values are rounded to nearest even: the oracle works on rounded(dtype, values).
  DeviceTensor(TestDevice& device, const std::string& name, kernels::DType dtype,
               const std::vector<float>& values);
  ~DeviceTensor() { device_.free(data_); }
  DeviceTensor(const DeviceTensor&) = delete;
  DeviceTensor& operator=(const DeviceTensor&) = delete;

  [[nodiscard]] void* data() const { return data_; }
  /// The address of an element, for views.
  [[nodiscard]] void* at(std::int64_t element) const;
  [[nodiscard]] kernels::DType dtype() const { return dtype_; }
  [[nodiscard]] std::int64_t size() const { return count_; }

  void write(const std::vector<float>& values, std::int64_t first = 0);
  /// All elements, exactly; what nothing wrote is NaN.
  [[nodiscard]] std::vector<double> read() const;
  /// All elements' bits (fp32: 32 of them), for "same bits" between arrays.
  [[nodiscard]] std::vector<std::uint32_t> bits() const;
  void poison(std::int64_t first, std::int64_t count);

 private:
  TestDevice& device_;
  kernels::DType dtype_;
  std::int64_t count_;
  void* data_;
};

/// A value rounded to nearest even in a type, exactly.
[[nodiscard]] double rounded(kernels::DType dtype, float value);
[[nodiscard]] std::vector<double> rounded(kernels::DType dtype, const std::vector<float>& values);

/// The bits of each element (floats: 32), to compare DeviceArray<float>::read() for "same bits".
[[nodiscard]] std::vector<std::uint32_t> bits_of(const std::vector<float>& values);

// ---- comparisons

/// |actual - expected| <= absolute + relative * |expected|
struct Tolerance {
  double absolute = 0;
  double relative = 0;
};

/// Of kernels.md: fp32 2e-5/2e-5, fp16 2e-3/2e-3, bf16 1.6e-2/1e-2.
[[nodiscard]] Tolerance tolerance_of(kernels::DType dtype);
/// The relative part is a few units in fp32's last place.
constexpr Tolerance kLseTolerance{1e-4, 5e-7};

/// Every element within tolerance: NaN never is, an infinity only where the same is expected. A test failure
/// names the first element that is not, the worst one, and how many there are.
void expect_close(Tolerance tolerance, const std::vector<double>& actual,
                  const std::vector<double>& expected);
void expect_close(Tolerance tolerance, const std::vector<float>& actual, const std::vector<double>& expected);
void expect_close(kernels::DType dtype, const std::vector<double>& actual,
                  const std::vector<double>& expected);
void expect_close(kernels::DType dtype, const std::vector<float>& actual,
                  const std::vector<double>& expected);

// ---- test grid

inline constexpr std::array kDTypes = {kernels::DType::kFp32, kernels::DType::kFp16, kernels::DType::kBf16};
[[nodiscard]] const char* name_of(kernels::DType dtype);

/// Two with fast paths and one without.
inline constexpr std::array<std::int32_t, 3> kHeadDims = {64, 128, 80};
/// 5 has no fast path.
inline constexpr std::array<std::int32_t, 8> kGroups = {1, 2, 3, 4, 6, 7, 8, 5};
/// Around pages, splits and blocks.
inline constexpr std::array<std::int64_t, 11> kLengths = {1, 2, 15, 16, 17, 127, 128, 129, 257, 4097, 32768};
/// Those that test cases named Small use.
// NOLINTNEXTLINE(readability-identifier-naming): a constant, if not an expression
inline const std::vector<std::int64_t> kSmallLengths(kLengths.begin(), kLengths.begin() + 9);

/// Those of kLengths that a device can take.
[[nodiscard]] std::vector<std::int64_t> lengths_for(const TestDevice& device);

/// Numbers that are the same on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  [[nodiscard]] std::uint64_t bits();
  /// In [low, high).
  [[nodiscard]] float uniform(float low = -1, float high = 1);
  /// In [0, count).
  [[nodiscard]] std::int64_t index(std::int64_t count);
  /// About normal, mean 0 and variance 1.
  [[nodiscard]] float normal();
  /// `count` times normal().
  [[nodiscard]] std::vector<float> floats(std::int64_t count);
  /// 0 … count-1, shuffled.
  [[nodiscard]] std::vector<std::int32_t> permutation(std::int64_t count);

 private:
  std::uint64_t state_;
};

}  // namespace lil::tests
