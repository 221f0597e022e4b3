#include "common/engine/torch/archive.h"

#include <algorithm>
#include <caffe2/serialize/read_adapter_interface.h>
#include <cstring>
#include <memory>
#include <ostream>
#include <streambuf>
#include <string>

#include <torch/csrc/jit/serialization/import.h>

#include "common/base/error.h"
#include "common/engine/torch/failure.h"

namespace fl::libtorch {
namespace {

/// Lets PyTorch read from bytes that stay somebody else's, never past their end.
class ByteReader final : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit ByteReader(ByteView bytes) : bytes_(bytes) {}

  std::size_t size() const override { return bytes_.size(); }

  std::size_t read(std::uint64_t position, void* buffer, std::size_t count, const char*) const override {
    if (position >= bytes_.size()) return 0;
    const auto begin = static_cast<std::size_t>(position);
    count = std::min(count, bytes_.size() - begin);
    std::memcpy(buffer, bytes_.data() + begin, count);
    return count;
  }

 private:
  ByteView bytes_;
};

/// A stream's end that collects bytes.
class ByteWriter final : public std::streambuf {
 public:
  Bytes take() { return std::move(bytes_); }

 protected:
  std::streamsize xsputn(const char* data, std::streamsize count) override {
    const auto* begin = reinterpret_cast<const std::byte*>(data);
    bytes_.insert(bytes_.end(), begin, begin + count);
    return count;
  }

  int_type overflow(int_type character) override {
    if (!traits_type::eq_int_type(character, traits_type::eof())) {
      bytes_.push_back(static_cast<std::byte>(character));
    }
    return traits_type::not_eof(character);
  }

 private:
  Bytes bytes_;
};

constexpr const char* how_to_save = "; save the model with torch.jit.script(model).save(\"model.pt\")";

}  // namespace

torch::jit::Module read_archive(ByteView archive) {
  // What PyTorch makes of bytes that are no zip file at all is a riddle, so look first.
  const std::string_view start = as_text(archive.first(std::min<std::size_t>(archive.size(), 4)));
  if (start != std::string_view("PK\x03\x04", 4)) {
    throw Error(ErrorCode::invalid_data, std::string("not a TorchScript archive") + how_to_save);
  }
  try {
    auto unit = std::make_shared<torch::jit::CompilationUnit>();
    return torch::jit::import_ir_module(unit, std::make_unique<ByteReader>(archive), c10::Device(c10::kCPU));
  } catch (const std::exception& failure) {
    const std::string sentence = first_sentence(failure.what());
    if (sentence.find("constants.pkl") != std::string::npos) {
      throw Error(ErrorCode::invalid_data,
                  std::string("a PyTorch file without code, not a TorchScript archive") + how_to_save);
    }
    throw Error(ErrorCode::invalid_data, "a damaged TorchScript archive: " + sentence);
  }
}

Bytes write_archive(const torch::jit::Module& module) {
  return guarded("saving the archive", [&] {
    ByteWriter writer;
    std::ostream stream(&writer);
    stream.exceptions(std::ios::badbit | std::ios::failbit);
    module.save(stream);
    stream.flush();
    return writer.take();
  });
}

}  // namespace fl::libtorch
