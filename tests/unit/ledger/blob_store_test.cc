#include "server/ledger/blob_store.h"

#include <fstream>
#include <sys/stat.h>

#include <doctest/doctest.h>

#include "tests/support/temporary_folder.h"
#include "tests/unit/ledger/samples.h"

using namespace fl;
using namespace fl::server;
using namespace fl::test;

TEST_CASE("a blob is found under the hash of what it holds") {
  const TemporaryFolder folder;
  BlobStore blobs(folder / "blobs");
  const Digest digest = blobs.put(as_bytes("weights"));
  CHECK(digest == sha256(as_bytes("weights")));
  CHECK(blobs.contains(digest));
  CHECK(as_text(blobs.get(digest)) == "weights");
  CHECK(blobs.put(as_bytes("weights")) == digest);
  struct stat status{};
  REQUIRE(stat(blobs.path(digest).c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(BlobStore(folder / "blobs").contains(digest));
}

TEST_CASE("a blob that is missing or was changed on the disk is refused (I9)") {
  const TemporaryFolder folder;
  BlobStore blobs(folder / "blobs");
  CHECK_FALSE(blobs.contains(digest_of("absent")));
  CHECK(code_of([&] { (void)blobs.get(digest_of("absent")); }) == ErrorCode::not_found);
  const Digest digest = blobs.put(as_bytes("weights"));
  std::ofstream(blobs.path(digest), std::ios::app) << "!";
  CHECK(code_of([&] { (void)blobs.get(digest); }) == ErrorCode::invalid_data);
  blobs.remove(digest);
  blobs.remove(digest);
  CHECK_FALSE(blobs.contains(digest));
}
