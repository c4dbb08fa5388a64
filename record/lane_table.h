#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "record/device.h"

namespace lil::record {

/// A device's array with a row of `width` numbers for each layer and lane: (layers, lanes, width).
template <class T>
class LaneTable {
 public:
  LaneTable() = default;
  LaneTable(Device& device, std::int64_t layers, std::int64_t lanes, std::int64_t width)
      : device_(&device),
        layers_(layers),
        lanes_(lanes),
        width_(width),
        values_(device, static_cast<std::size_t>(layers * lanes * width)),
        spare_(device, static_cast<std::size_t>(width)) {}

  [[nodiscard]] T* layer(std::int64_t layer) { return values_.data() + layer * lanes_ * width_; }
  [[nodiscard]] T* row(std::int64_t layer, std::int64_t lane) {
    return values_.data() + (layer * lanes_ + lane) * width_;
  }
  [[nodiscard]] std::int64_t width() const { return width_; }

  void upload(std::int64_t layer, std::int64_t lane, std::int64_t first, std::span<const T> values) {
    values_.upload(values, static_cast<std::size_t>((layer * lanes_ + lane) * width_ + first));
  }
  [[nodiscard]] std::vector<T> download(std::int64_t layer, std::int64_t lane, std::int64_t first,
                                        std::int64_t count) const {
    return values_.download(static_cast<std::size_t>((layer * lanes_ + lane) * width_ + first),
                            static_cast<std::size_t>(count));
  }

  void swap_lanes(std::int64_t a, std::int64_t b) {
    for (std::int64_t layer = 0; layer < layers_ && width_ > 0; ++layer) {
      device_->copy(spare_.data(), row(layer, a), row_bytes());
      device_->copy(row(layer, a), row(layer, b), row_bytes());
      device_->copy(row(layer, b), spare_.data(), row_bytes());
    }
  }
  void copy_lane(std::int64_t from, std::int64_t to) {
    for (std::int64_t layer = 0; layer < layers_ && width_ > 0; ++layer) {
      device_->copy(row(layer, to), row(layer, from), row_bytes());
    }
  }

 private:
  [[nodiscard]] std::size_t row_bytes() const { return static_cast<std::size_t>(width_) * sizeof(T); }

  Device* device_ = nullptr;
  std::int64_t layers_ = 0;
  std::int64_t lanes_ = 0;
  std::int64_t width_ = 0;
  DeviceArray<T> values_;
  DeviceArray<T> spare_;
};

}  // namespace lil::record
