#include "tests/unit/care/full_home.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

namespace {

using Kind = Finding::Kind;

void litter(FullHome& full) {
  full.blobs.put(as_bytes("nothing refers to this"));
  write_file_atomically(full.home.blobs_path() / "draft.1.2", as_bytes("half"), FileMode::secret);
  for (const char* round : {"spool/har/1", "spool/gone/7"}) {
    make_private_folder(full.home.folder() / round);
    write_file_atomically(full.home.folder() / round / "a-00", as_bytes("update"), FileMode::secret);
  }
}

}  // namespace

TEST_CASE("what nothing refers to is reported as harmless and left where it is") {
  FullHome full;
  litter(full);
  const HomeReport report = full.check();
  CAPTURE(text_of(report));
  CHECK(!report.has_faults());
  CHECK(report.findings.size() == 4);
  const std::string orphan = sha256(as_bytes("nothing refers to this")).hex();
  CHECK(finds(report, Kind::leftover, "blobs/" + orphan, "no task and no version"));
  CHECK(finds(report, Kind::leftover, "blobs/draft.1.2", "no task and no version"));
  CHECK(finds(report, Kind::leftover, "spool/har/1", "neither open nor kept"));
  CHECK(finds(report, Kind::leftover, "spool/gone/7", "neither open nor kept"));
  CHECK(full.check().findings.size() == 4);
}

TEST_CASE("leftovers are removed where that is asked for and nothing that is needed with them (I3)") {
  FullHome full;
  litter(full);
  // A transfer that was cut off goes on where it was, so it is none.
  write_file_atomically(full.update_path().parent_path() / "b-00.part", as_bytes("upd"), FileMode::secret);
  const HomeReport report = check_home(full.home, Leftovers::remove, {});
  CHECK(report.findings.size() == 4);
  CHECK(full.check().findings.empty());
  CHECK(full.check().files == 5);
  CHECK(std::filesystem::exists(full.update_path().parent_path() / "b-00.part"));
}

TEST_CASE("leftovers are neither told nor removed while another process has the home") {
  FullHome full;
  litter(full);
  {
    const FileDescriptor lock = full.home.lock();
    const HomeReport report = check_home(full.home, Leftovers::remove, {});
    CAPTURE(text_of(report));
    CHECK(!report.has_faults());
    CHECK(report.findings.size() == 1);
    CHECK(finds(report, Kind::skipped, full.home.folder().string(), "is in use by process"));
  }
  CHECK(full.check().findings.size() == 4);
}
