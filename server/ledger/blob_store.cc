#include "server/ledger/blob_store.h"

#include <system_error>

#include "common/base/error.h"
#include "common/base/files.h"

namespace fl::server {
namespace {

constexpr const char* draft_name = "draft";

}  // namespace

void BlobStore::remove_drafts() {
  std::error_code ended;
  std::filesystem::directory_iterator entry(folder_, ended);
  for (; !ended && entry != std::filesystem::directory_iterator(); entry.increment(ended)) {
    std::error_code ignored;  // it is tried again at the next start
    if (entry->path().filename().string().starts_with(draft_name))
      std::filesystem::remove(entry->path(), ignored);
  }
}

BlobDraft::BlobDraft(const BlobStore& blobs)
    : folder_(blobs.folder_), file_(folder_ / draft_name, FileMode::secret) {}

void BlobDraft::write(ByteView piece) {
  file_.write(piece);
  running_.update(piece);
}

Digest BlobDraft::commit() {
  const Digest digest = running_.finish();
  file_.commit_as(folder_ / digest.hex());
  return digest;
}

BlobStore::BlobStore(std::filesystem::path folder) : folder_(std::move(folder)) {
  make_private_folder(folder_);
}

std::filesystem::path BlobStore::path(const Digest& digest) const {
  return folder_ / digest.hex();
}

bool BlobStore::contains(const Digest& digest) const {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path(digest), ignored);
}

Digest BlobStore::put(ByteView content) {
  const Digest digest = sha256(content);
  if (!contains(digest)) write_file_atomically(path(digest), content, FileMode::secret);
  return digest;
}

Bytes BlobStore::get(const Digest& digest) const {
  Bytes content = read_file(path(digest));
  if (sha256(content) != digest) {
    throw Error(ErrorCode::invalid_data,
                path(digest).string() + " does not hold what its name says; restore it from a backup");
  }
  return content;
}

void BlobStore::remove(const Digest& digest) {
  std::error_code ignored;
  std::filesystem::remove(path(digest), ignored);
}

}  // namespace fl::server
