#pragma once

#include <torch/csrc/jit/api/module.h>

#include "common/base/bytes.h"

namespace fl::libtorch {

/// Reads a TorchScript archive from memory onto the CPU. Throws Error(invalid_data) where the bytes are none,
/// with what to do where they are another kind of PyTorch file.
torch::jit::Module read_archive(ByteView archive);

/// The module as an archive. Its tensors must own their storage: PyTorch saves whole storages.
Bytes write_archive(const torch::jit::Module& module);

}  // namespace fl::libtorch
