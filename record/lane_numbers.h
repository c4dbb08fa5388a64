#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "record/device.h"

namespace lil::record {

/// Numbers of a step's lanes that the host knows, as kernels want them: one for each request, lane by lane.
class LaneNumbers {
 public:
  LaneNumbers() = default;
  LaneNumbers(Device& device, std::int64_t lanes, std::int64_t requests_per_lane)
      : requests_per_lane_(requests_per_lane),
        numbers_(device, static_cast<std::size_t>(lanes * requests_per_lane)) {}

  /// number_of(lane) for the lanes 0 .. lanes - 1.
  template <class NumberOf>
  void set(std::int64_t lanes, const NumberOf& number_of) {
    host_.clear();
    most_ = 0;
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      const std::int64_t number = number_of(lane);
      most_ = number > most_ ? number : most_;
      host_.insert(host_.end(), static_cast<std::size_t>(requests_per_lane_),
                   static_cast<std::int32_t>(number));
    }
    numbers_.upload(host_);
  }
  [[nodiscard]] const std::int32_t* data() const { return numbers_.data(); }
  /// The greatest of them, or 0.
  [[nodiscard]] std::int64_t most() const { return most_; }

 private:
  std::int64_t requests_per_lane_ = 0;
  std::int64_t most_ = 0;
  DeviceArray<std::int32_t> numbers_;
  std::vector<std::int32_t> host_;
};

}  // namespace lil::record
