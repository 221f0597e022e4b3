#include "tests/unit/engine/python_archives.h"

#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <numeric>
#include <sys/file.h>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "common/base/files.h"
#include "common/base/random.h"
#include "tests/support/temporary_folder.h"

namespace fl::test {
namespace {

namespace fs = std::filesystem;

constexpr int no_pytorch = 77;  // as the script says

/// Returns whether there is a PyTorch. Throws with what the script wrote where it fails.
bool run_script(const std::string& action, const fs::path& folder) {
  if (!fs::exists(FL_TEST_PYTHON)) return false;
  const fs::path log = folder / "log";
  const std::string command = std::string(FL_TEST_PYTHON) + " " + FL_TEST_SCRIPT + " " + action + " " +
                              folder.string() + " > " + log.string() + " 2>&1";
  const int status = std::system(command.c_str());  // NOLINT(concurrency-mt-unsafe,cert-env33-c)
  if (status == 0) return true;
  if (WIFEXITED(status) && WEXITSTATUS(status) == no_pytorch) return false;
  throw Error(ErrorCode::internal, command + " failed: " + read_text_file(log));
}

/// The batches of a session, as Model::train() cuts 24 examples: an order of each epoch's own.
std::string batches() {
  std::string lines;
  for (std::uint64_t epoch = 1; epoch <= PythonArchives::epochs; ++epoch) {
    std::vector<int> order(24);
    std::iota(order.begin(), order.end(), 0);
    Random random(derive_seed(PythonArchives::seed, epoch));
    random.shuffle(order);
    for (std::size_t i = 0; i < order.size(); ++i) {
      const bool ends = (i + 1) % PythonArchives::batch_size == 0 || i + 1 == order.size();
      lines += std::to_string(order[i]) + (ends ? "\n" : " ");
    }
  }
  return lines;
}

/// Tests are processes of their own and run at the same time, so the first one locks the others out.
bool written(const fs::path& folder) {
  fs::create_directories(folder);
  const FileDescriptor lock = open_file(folder / "lock", O_CREAT | O_RDWR);
  if (::flock(lock.get(), LOCK_EX) != 0) throw_system_error(errno, "locking " + folder.string());
  const fs::path mark = folder / "written_from";
  const std::string sources = read_text_file(FL_TEST_SCRIPT) + batches();
  if (fs::exists(mark) && read_text_file(mark) == sources) return true;
  write_file_atomically(folder / "batches", as_bytes(batches()));
  if (!run_script("write", folder)) return false;
  write_file_atomically(mark, as_bytes(sources));
  return true;
}

template <typename Value>
std::vector<Value> values_of(const Bytes& bytes) {
  std::vector<Value> values(bytes.size() / sizeof(Value));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace

std::optional<PythonArchives> PythonArchives::find() {
  PythonArchives result;
  result.folder_ = FL_TEST_ARCHIVES;
  if (written(result.folder_)) return result;
  MESSAGE("skipped: " << FL_TEST_PYTHON << " has no torch; install python3-torch");
  return std::nullopt;
}

Bytes PythonArchives::archive(const std::string& name) const {
  return read_file(folder_ / (name + ".pt"));
}

Examples PythonArchives::examples(const std::string& name) const {
  const bool text = name == "tied" || name == "sparse";
  const bool images = name == "images" || name == "channels_last";
  const Bytes first = read_file(folder_ / (name + ".inputs0"));
  Examples result;
  if (text) {
    result.inputs = {{Datatype::int64, {24, 5}, first}};
  } else {
    result.inputs = {{Datatype::fp32, images ? Shape{24, 3, 8, 8} : Shape{24, 6}, first}};
  }
  if (fs::exists(folder_ / (name + ".inputs1"))) {
    result.inputs.push_back({Datatype::fp32, {24, 4}, read_file(folder_ / (name + ".inputs1"))});
  }
  result.targets = {Datatype::int64, {24}, read_file(folder_ / (name + ".targets"))};
  if (name == "own_loss") {
    result.targets.datatype = Datatype::fp32;
    result.targets.shape = {24, 1};
  }
  return result;
}

std::vector<float> PythonArchives::trained(const std::string& name) const {
  return values_of<float>(read_file(folder_ / (name + ".trained")));
}

std::vector<float> PythonArchives::trained(const std::string& name, const std::string& plan) const {
  return values_of<float>(read_file(folder_ / (name + "." + plan)));
}

std::vector<bool> same_in_python(const std::vector<Answered>& answered) {
  const TemporaryFolder folder;
  for (std::size_t i = 0; i < answered.size(); ++i) {
    const std::string path = (folder / std::to_string(i)).string();
    std::string shape;
    for (const std::int64_t size : answered[i].inputs.shape) shape += std::to_string(size) + " ";
    write_file_atomically(path + ".pt", answered[i].archive);
    write_file_atomically(path + ".shape", as_bytes(std::string_view(shape)));
    write_file_atomically(path + ".inputs", answered[i].inputs.data);
    write_file_atomically(path + ".outputs", answered[i].outputs.data);
  }
  REQUIRE(run_script("compare", folder.path()));
  std::vector<bool> same;
  for (std::size_t i = 0; i < answered.size(); ++i) {
    same.push_back(read_text_file(folder / (std::to_string(i) + ".same")) == "1");
  }
  return same;
}

}  // namespace fl::test
