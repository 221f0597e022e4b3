#include "common/engine/engine_module.h"

#include <cstdlib>
#include <dlfcn.h>
#include <mutex>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "common/engine/engine_entry.h"

namespace fl {
namespace {

namespace fs = std::filesystem;

/// The engine that is loaded, as long as somebody holds it.
struct Loaded {
  std::mutex mutex;
  fs::path path;
  std::weak_ptr<Engine> engine;
};

std::vector<fs::path> folders_beside_the_program() {
  std::error_code failed;
  const fs::path program = fs::read_symlink("/proc/self/exe", failed);
  if (failed) return {};
  const fs::path folder = program.parent_path();
  // Programs live in bin, tests in bin/tests.
  return {folder.parent_path() / "lib" / "fl", folder.parent_path().parent_path() / "lib" / "fl"};
}

std::vector<fs::path> places(const std::optional<fs::path>& folder) {
  if (folder) return {*folder};
  std::vector<fs::path> result;
  const char* named = std::getenv("FL_ENGINE_DIR");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  if (named != nullptr && *named != '\0') result.emplace_back(named);
  for (fs::path& beside : folders_beside_the_program()) result.push_back(std::move(beside));
  result.emplace_back(FL_ENGINE_INSTALL_FOLDER);
  return result;
}

fs::path find_module(const std::optional<fs::path>& folder) {
  std::string tried;
  for (const fs::path& place : places(folder)) {
    std::error_code failed;
    fs::path candidate = fs::canonical(place / engine_file_name, failed);
    if (!failed) return candidate;
    tried += (tried.empty() ? "" : ", ") + place.string();
  }
  throw Error(ErrorCode::not_found,
              std::string("no ") + engine_file_name + " in " + tried + "; name its folder in FL_ENGINE_DIR");
}

[[noreturn]] void throw_unavailable(const fs::path& path, const std::string& why) {
  throw Error(ErrorCode::unavailable, "loading the engine " + path.string() + ": " + why);
}

/// The module is never unloaded: libtorch registers operators, threads and thread-local state that outlive
/// any engine, and its code must stay as long as one of them does.
std::unique_ptr<Engine> open_module(const fs::path& path) {
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) throw_unavailable(path, ::dlerror());
  void* symbol = ::dlsym(handle, engine_entry_symbol);
  if (symbol == nullptr) throw_unavailable(path, "it is no engine of this project");
  const EngineEntry* entry = reinterpret_cast<EngineEntryFunction*>(symbol)();
  if (entry->abi != engine_abi) {
    throw_unavailable(path, "it has interface version " + std::to_string(entry->abi) +
                                ", this program needs " + std::to_string(engine_abi) +
                                "; install both from the same release");
  }
  return entry->create();
}

}  // namespace

std::shared_ptr<Engine> load_engine(const std::optional<fs::path>& folder) {
  static Loaded loaded;
  const fs::path path = find_module(folder);
  const std::lock_guard lock(loaded.mutex);
  std::shared_ptr<Engine> engine = loaded.engine.lock();
  if (engine == nullptr || loaded.path != path) {
    engine = open_module(path);
    loaded.engine = engine;
    loaded.path = path;
  }
  return engine;
}

}  // namespace fl
