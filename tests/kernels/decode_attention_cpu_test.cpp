// Of the CPU's decode_attention alone: the vector targets that it is compiled for.
#include <gtest/gtest.h>

#include "tests/kernels/attention_runner.h"
#include "tests/kernels/targets.h"

namespace lil::tests {
namespace {

using kernels::DType;

class DecodeAttentionTargets : public KernelTest {};
LIL_ON_CPU(DecodeAttentionTargets);

TEST_P(DecodeAttentionTargets, AreRightAndTheFusedOnesHaveTheSameBits) {
  for (const DType dtype : kDTypes) {
    for (const AttentionShape& shape : {AttentionShape{dtype, 64, 6, 16},
                                        {dtype, 128, 8, 1},
                                        {dtype, 80, 5, 7},
                                        {dtype, 33, 1, 16},
                                        {dtype, 128, 13, 16}}) {
      SCOPED_TRACE(testing::Message()
                   << name_of(dtype) << ", head size " << shape.head_dim << ", group " << shape.group);
      const std::vector<AttentionRequest> requests = random_requests(shape, {300, 17, 1});
      std::vector<std::vector<std::uint32_t>> fused;
      for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
        SCOPED_TRACE(hwy::TargetName(target));
        const AttentionCall call(device(), shape, requests);
        {
          const OnlyTarget only(target);
          run([&] { return backend().decode_attention(call.args(), stream()); });
        }
        std::vector<std::vector<std::uint32_t>> bits;
        const std::vector<AttentionResult> results = call.results();
        for (std::size_t r = 0; r < requests.size(); ++r) {
          expect_exact(shape, requests[r], results[r]);
          bits.push_back(bits_of(results[r]));
        }
        if (is_fused(target)) {
          fused = fused.empty() ? bits : fused;
          EXPECT_EQ(bits, fused);
        } else if (!fused.empty()) {
          EXPECT_NE(bits, fused) << "the target was not the one that ran";
        }
      }
    }
  }
}

}  // namespace
}  // namespace lil::tests
