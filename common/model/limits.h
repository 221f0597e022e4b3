#pragma once

#include <cstddef>
#include <cstdint>

/// The sizes beyond which a model's description is refused, by its maker as by its readers.
namespace fl::model_limits {

inline constexpr std::size_t manifest_bytes = std::size_t{256} << 10U;  ///< Any one document of JSON.
inline constexpr std::size_t task_name_bytes = 64;
inline constexpr std::size_t name_bytes = 256;  ///< Of a tensor, an input, a column, a label.
inline constexpr std::size_t inputs = 64;       ///< Inputs of a model, and outputs.
inline constexpr std::size_t dimensions = 16;
inline constexpr std::size_t labels = 4096;
inline constexpr std::size_t columns = 4096;
inline constexpr std::int64_t example_elements = std::int64_t{1} << 28;  ///< Of one input of one example.
inline constexpr std::size_t safetensors_header_bytes = 100'000'000;     ///< The format's own bound.

}  // namespace fl::model_limits
