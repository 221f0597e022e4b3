#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/model/contract.h"
#include "common/model/tensor.h"

namespace fl::serving {

/// How large a request may be. A body is held against `body_bytes` before it is read.
struct RequestLimits {
  std::size_t body_bytes = std::size_t{64} << 20U;
  std::size_t json_bytes = std::size_t{16} << 20U;  ///< Of the body's JSON; other tensors go in binary.
  std::int64_t batch = 4096;                        ///< Examples in one request.
};

/// One of the outputs that a request asks for.
struct RequestedOutput {
  std::size_t index = 0;  ///< In the list of names that decode_request() was given.
  bool binary = false;    ///< As raw bytes behind the response's JSON.
};

/// A request of the Open Inference Protocol v2 that fits its model.
struct InferRequest {
  std::string id;                        ///< To be echoed; empty: none.
  std::vector<Tensor> inputs;            ///< In the contract's order, all of one batch.
  std::vector<RequestedOutput> outputs;  ///< In the request's order; all of them where it named none.
  /// How long an answer is of use, where it says so (the parameter "timeout").
  std::optional<std::chrono::microseconds> timeout;
};

/// Reads the body of an inference request. `json_length` is what Inference-Header-Content-Length says: so
/// much of the body is JSON, and raw tensors follow in the order of the inputs; without it all of it is JSON.
/// `outputs` are the names that may be asked for.
///
/// Throws Error(invalid_argument), to be answered with 400: what is no JSON of the protocol's form or nested
/// too deep; an input that is unknown, missing or named twice; a datatype that is not the contract's; a shape
/// that does not fit it, or is not that of the data; values that the datatype has no room for; NaN and
/// infinities; raw bytes that are not as many as announced; an output that is unknown or asked for twice.
/// Error(resource_exhausted), for 413: beyond the limits.
/// Error(failed_precondition), for 501: what is not done here, see read_json_request().
InferRequest decode_request(ByteView body, std::optional<std::size_t> json_length,
                            const TaskContract& contract, const std::vector<std::string>& outputs,
                            const RequestLimits& limits = {});

}  // namespace fl::serving
