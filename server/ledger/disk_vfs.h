#pragma once

#include <sqlite3.h>
#include <string>

#include "common/base/disk.h"

/// SQLite's way to a Disk. Private to server/ledger.
namespace fl::server {

/// A VFS of SQLite's by which a database, its log and its journal are written through a Disk. Reading, locks
/// and shared memory are the default VFS's, with the files that SQLite makes for a moment. Refers to the
/// disk, which outlives it, as it does every connection that was opened by its name.
///
/// A process that ends a connection loses the locks on the same database of others by the default VFS, as
/// POSIX has it: it must not have one besides.
class DiskVfs {
 public:
  /// Throws Error(internal) where SQLite takes no further VFS.
  explicit DiskVfs(Disk& disk);
  DiskVfs(const DiskVfs&) = delete;
  DiskVfs& operator=(const DiskVfs&) = delete;
  ~DiskVfs();

  /// What a connection is opened by; no other DiskVfs has it meanwhile.
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  sqlite3_vfs vfs_;
};

}  // namespace fl::server
