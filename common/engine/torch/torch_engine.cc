#include <dlfcn.h>
#include <memory>
#include <string>

#include <torch/version.h>

#include "common/engine/engine_entry.h"
#include "common/engine/torch/build.h"
#include "common/engine/torch/open_model.h"

namespace fl::libtorch {
namespace {

/// Whichever BLAS the machine's libtorch was given; the libraries say it themselves, under these names.
std::string describe_blas() {
  if (void* symbol = ::dlsym(RTLD_DEFAULT, "openblas_get_config"); symbol != nullptr) {
    const std::string config = reinterpret_cast<char* (*)()>(symbol)();  // "OpenBLAS 0.3.21 …"
    return config.substr(0, config.find(' ', config.find(' ') + 1));
  }
  if (void* symbol = ::dlsym(RTLD_DEFAULT, "bli_info_get_version_str"); symbol != nullptr) {
    return std::string("BLIS ") + reinterpret_cast<const char* (*)()>(symbol)();
  }
  void* symbol = ::dlsym(RTLD_DEFAULT, "sgemm_");
  ::Dl_info info{};
  if (symbol == nullptr || ::dladdr(symbol, &info) == 0) return "built in";
  return info.dli_fname;
}

class TorchEngine final : public Engine {
 public:
  std::string describe() const override {
    return std::string("libtorch ") + TORCH_VERSION + ", BLAS " + describe_blas();
  }
  std::unique_ptr<Model> open(ByteView archive, const TaskContract& contract) override {
    return open_model(archive, contract);
  }
  Bytes build(const Architecture& architecture, std::uint64_t seed) override {
    return build_archive(architecture, seed);
  }
};

}  // namespace
}  // namespace fl::libtorch

extern "C" __attribute__((visibility("default"))) const fl::EngineEntry* fl_engine_entry() {
  static const fl::EngineEntry entry{fl::engine_abi, []() -> std::unique_ptr<fl::Engine> {
                                       return std::make_unique<fl::libtorch::TorchEngine>();
                                     }};
  return &entry;
}
