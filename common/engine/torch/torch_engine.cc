#include <dlfcn.h>
#include <memory>
#include <string>

#include <torch/version.h>

#include "common/engine/engine_entry.h"
#include "common/engine/torch/build.h"
#include "common/engine/torch/open_model.h"

namespace fl::libtorch {
namespace {

/// The library that a matrix product calls, which is the machine owner's choice: by name where it is
/// OpenBLAS, else by its file. A LAPACK may bring another BLAS into the process that is not in use.
std::string describe_blas() {
  void* product = ::dlsym(RTLD_DEFAULT, "sgemm_");
  ::Dl_info library{};
  if (product == nullptr || ::dladdr(product, &library) == 0) return "built in";
  void* handle = ::dlopen(library.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  if (handle == nullptr) return library.dli_fname;
  std::string result = library.dli_fname;
  if (void* config = ::dlsym(handle, "openblas_get_config"); config != nullptr) {
    result = reinterpret_cast<char* (*)()>(config)();  // "OpenBLAS 0.3.21 and how it was built"
    result = result.substr(0, result.find(' ', result.find(' ') + 1));
  }
  ::dlclose(handle);
  return result;
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
