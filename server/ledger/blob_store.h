#pragma once

#include <filesystem>

#include "common/base/bytes.h"
#include "common/base/digest.h"
#include "common/base/disk.h"

namespace fl::server {

/// Files named by the SHA-256 of what they hold: archives and weights. Written atomically and never changed,
/// so that any thread and any process may read them. Safe to use from several threads.
class BlobStore {
 public:
  /// Makes the folder if it is not there. `disk`, through which all is written, outlives the store.
  explicit BlobStore(std::filesystem::path folder, Disk& disk = system_disk());

  /// Durable when it returns; writing what is there already is cheap. Throws Error as the disk fails.
  Digest put(ByteView content);
  bool contains(const Digest& digest) const;
  /// Reads and checks a blob. Throws Error: not_found, or invalid_data where the file does not hash to its
  /// name.
  Bytes get(const Digest& digest) const;
  std::filesystem::path path(const Digest& digest) const;
  /// Takes back a blob that nothing refers to yet. No error where it is not there.
  void remove(const Digest& digest);
  /// Removes blobs that processes were writing when they were killed. No other process may be writing one,
  /// whose put() then fails.
  void remove_drafts();

 private:
  friend class BlobDraft;

  std::filesystem::path folder_;
  Disk& disk_;
};

/// A blob that is written piece by piece, for one larger than memory should hold. It is there from commit()
/// on; without that, the destructor leaves nothing behind. One thread at a time.
class BlobDraft {
 public:
  /// All throw Error as the disk fails.
  explicit BlobDraft(const BlobStore& blobs);
  void write(ByteView piece);
  /// Durable when it returns. Only the destructor may follow.
  Digest commit();

 private:
  std::filesystem::path folder_;
  FileDraft file_;
  Sha256 running_;
};

}  // namespace fl::server
