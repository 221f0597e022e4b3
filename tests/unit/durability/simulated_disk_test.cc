#include "tests/support/simulated_disk.h"

#include <cerrno>
#include <fcntl.h>
#include <set>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "tests/support/temporary_folder.h"

using namespace fl;
using namespace fl::test;

namespace {

namespace fs = std::filesystem;

/// A disk with a folder "d" and a file "d/old" of ten bytes in it.
struct Machine {
  Machine() {
    fs::create_directories(folder / "disk/d");
    write_file_atomically(folder / "disk/d/old", as_bytes("0123456789"));
    disk.emplace(folder / "disk");
  }

  fs::path path(const std::string& name) const { return folder / ("disk/" + name); }

  /// What is found after a power cut now.
  fs::path after_a_cut(std::optional<std::uint64_t> seed = {}) {
    fs::path found = folder / ("found" + std::to_string(cuts++));
    disk->survive(found, seed);
    return found;
  }

  TemporaryFolder folder;
  std::optional<SimulatedDisk> disk;
  int cuts = 0;
};

std::string text_of(const fs::path& path) {
  return read_text_file(path);
}

}  // namespace

TEST_CASE("a simulated disk keeps what was synced and may lose the rest") {
  Machine machine;
  const FileDescriptor file = machine.disk->open(machine.path("d/new"), O_RDWR | O_CREAT, FileMode::secret);
  machine.disk->write(file, 0, as_bytes("abc"), machine.path("d/new"));
  CHECK(text_of(machine.path("d/new")) == "abc");
  machine.disk->sync(file, machine.path("d/new"));
  CHECK_FALSE(fs::exists(machine.after_a_cut() / "d/new"));
  machine.disk->sync_folder(machine.path("d"));
  machine.disk->write(file, 1, as_bytes("BCD"), machine.path("d/new"));
  CHECK(text_of(machine.path("d/new")) == "aBCD");
  CHECK(text_of(machine.after_a_cut() / "d/new") == "abc");
  machine.disk->resize(file, 1, machine.path("d/new"));
  machine.disk->sync(file, machine.path("d/new"));
  CHECK(text_of(machine.after_a_cut() / "d/new") == "a");
}

TEST_CASE("a simulated disk keeps names as of the last sync of their folder") {
  Machine machine;
  machine.disk->rename(machine.path("d/old"), machine.path("d/other"));
  CHECK(text_of(machine.path("d/other")) == "0123456789");
  CHECK(fs::exists(machine.after_a_cut() / "d/old"));
  machine.disk->sync_folder(machine.path("d"));
  CHECK_FALSE(fs::exists(machine.after_a_cut() / "d/old"));
  CHECK(text_of(machine.after_a_cut() / "d/other") == "0123456789");
  machine.disk->remove(machine.path("d/other"));
  CHECK(fs::exists(machine.after_a_cut() / "d/other"));
  machine.disk->make_folder(machine.path("e"));
  machine.disk->make_folder(machine.path("e/inner"));
  machine.disk->sync_folder(machine.path("e"));
  CHECK_FALSE(fs::exists(machine.after_a_cut() / "e"));
  machine.disk->sync_folder(machine.folder / "disk");
  CHECK(fs::exists(machine.after_a_cut() / "e/inner"));
}

TEST_CASE("what a simulated disk tears are sectors and names and nothing that was synced") {
  Machine machine;
  const fs::path path = machine.path("d/old");
  const FileDescriptor file = machine.disk->open(path, O_RDWR, FileMode::secret);
  machine.disk->write(file, 0, as_bytes(std::string(2000, 'x')), path);
  machine.disk->sync(file, path);
  machine.disk->write(file, 100, as_bytes(std::string(1200, 'y')), path);
  machine.disk->remove(path);
  std::set<std::string> found;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const fs::path left = machine.after_a_cut(seed) / "d/old";
    found.insert(fs::exists(left) ? text_of(left) : "gone");
  }
  CHECK(found.size() == 9);  // each of three sectors or not, or no file
  CHECK(found.contains("gone"));
  CHECK(found.contains(std::string(2000, 'x')));
  CHECK(found.contains(std::string(512, 'x') + std::string(512, 'y') + std::string(976, 'x')));
}

TEST_CASE("a simulated disk does nothing once its power has gone") {
  Machine machine;
  const FileDescriptor file = machine.disk->open(machine.path("d/old"), O_RDWR, FileMode::secret);
  machine.disk->cut_power_at(2);
  machine.disk->write(file, 0, as_bytes("abc"), machine.path("d/old"));
  CHECK_FALSE(machine.disk->is_cut());
  CHECK_THROWS_AS(machine.disk->sync(file, machine.path("d/old")), Error);
  CHECK(machine.disk->is_cut());
  CHECK_THROWS_AS(machine.disk->remove(machine.path("d/old")), Error);
  CHECK_THROWS_AS(machine.disk->make_folder(machine.path("f")), Error);
  CHECK(machine.disk->operations() == 2);
  CHECK(machine.disk->log().back() == "sync d/old");
  CHECK(text_of(machine.after_a_cut() / "d/old") == "0123456789");
}

TEST_CASE("a simulated disk fails as it is told and loses what a failed sync was for") {
  Machine machine;
  const fs::path path = machine.path("d/old");
  const FileDescriptor file = machine.disk->open(path, O_RDWR, FileMode::secret);
  machine.disk->fail_at(1, ENOSPC, 2);
  CHECK_THROWS_AS(machine.disk->write(file, 0, as_bytes("abcd"), path), Error);
  CHECK(text_of(path) == "ab23456789");
  CHECK_THROWS_AS(machine.disk->sync(file, path), Error);
  machine.disk->sync(file, path);
  CHECK(text_of(machine.after_a_cut() / "d/old") == "0123456789");
  machine.disk->write(file, 0, as_bytes("AB"), path);
  machine.disk->sync(file, path);
  CHECK(text_of(machine.after_a_cut() / "d/old") == "AB23456789");
}
