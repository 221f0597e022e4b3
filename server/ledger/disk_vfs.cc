#include "server/ledger/disk_vfs.h"

#include <cstdint>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <new>
#include <utility>

#include "common/base/error.h"

namespace fl::server {
namespace {

/// Files that must outlast the machine; the others SQLite makes anew whenever it needs them.
constexpr int durable_kinds = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL;

/// SQLite's memory for a file; behind it lies the default VFS's.
struct DiskFile : sqlite3_file {
  DiskFile(Disk& its_disk, std::filesystem::path its_path)
      : sqlite3_file(), disk(its_disk), path(std::move(its_path)) {}

  sqlite3_file* usual() { return reinterpret_cast<sqlite3_file*>(this + 1); }

  Disk& disk;
  std::filesystem::path path;
  FileDescriptor written;
  bool is_new = false;  ///< Its name may not be durable yet.
};
static_assert(alignof(DiskFile) >= alignof(sqlite3_int64), "what lies behind it is aligned too");

DiskFile& of(sqlite3_file* file) {
  return *static_cast<DiskFile*>(file);
}

sqlite3_file* usual(sqlite3_file* file) {
  return of(file).usual();
}

/// Nothing may be thrown into SQLite: what it understands are its codes.
template <typename Action>
int attempt(int otherwise, const Action& action) noexcept {
  try {
    action();
    return SQLITE_OK;
  } catch (const Error& error) {
    return error.code() == ErrorCode::resource_exhausted ? SQLITE_FULL : otherwise;
  } catch (const std::exception&) {
    return otherwise;
  }
}

int close_file(sqlite3_file* file) {
  const int code = usual(file)->pMethods->xClose(usual(file));
  of(file).~DiskFile();
  file->pMethods = nullptr;
  return code;
}

int read_file_at(sqlite3_file* file, void* into, int count, sqlite3_int64 offset) {
  return usual(file)->pMethods->xRead(usual(file), into, count, offset);
}

int write_file_at(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  DiskFile& own = of(file);
  const ByteView content(static_cast<const std::byte*>(bytes), static_cast<std::size_t>(count));
  return attempt(SQLITE_IOERR_WRITE,
                 [&] { own.disk.write(own.written, static_cast<std::uint64_t>(offset), content, own.path); });
}

int truncate_file(sqlite3_file* file, sqlite3_int64 length) {
  DiskFile& own = of(file);
  return attempt(SQLITE_IOERR_TRUNCATE,
                 [&] { own.disk.resize(own.written, static_cast<std::uint64_t>(length), own.path); });
}

int sync_opened_file(sqlite3_file* file, int /*flags*/) {
  DiskFile& own = of(file);
  return attempt(SQLITE_IOERR_FSYNC, [&] {
    own.disk.sync(own.written, own.path);
    if (!own.is_new) return;
    own.disk.sync_folder(own.path.parent_path());
    own.is_new = false;
  });
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return usual(file)->pMethods->xFileSize(usual(file), size);
}

int lock_file(sqlite3_file* file, int level) {
  return usual(file)->pMethods->xLock(usual(file), level);
}

int unlock_file(sqlite3_file* file, int level) {
  return usual(file)->pMethods->xUnlock(usual(file), level);
}

int check_reserved_lock(sqlite3_file* file, int* is_locked) {
  return usual(file)->pMethods->xCheckReservedLock(usual(file), is_locked);
}

int control_file(sqlite3_file* file, int operation, void* argument) {
  return usual(file)->pMethods->xFileControl(usual(file), operation, argument);
}

int sector_size(sqlite3_file* file) {
  return usual(file)->pMethods->xSectorSize(usual(file));
}

int device_characteristics(sqlite3_file* file) {
  // Batches of writes would go by the default VFS.
  return usual(file)->pMethods->xDeviceCharacteristics(usual(file)) & ~SQLITE_IOCAP_BATCH_ATOMIC;
}

int map_shared_memory(sqlite3_file* file, int region, int size, int extend, void volatile** memory) {
  return usual(file)->pMethods->xShmMap(usual(file), region, size, extend, memory);
}

int lock_shared_memory(sqlite3_file* file, int offset, int count, int flags) {
  return usual(file)->pMethods->xShmLock(usual(file), offset, count, flags);
}

void fence_shared_memory(sqlite3_file* file) {
  usual(file)->pMethods->xShmBarrier(usual(file));
}

int unmap_shared_memory(sqlite3_file* file, int remove) {
  return usual(file)->pMethods->xShmUnmap(usual(file), remove);
}

/// Of version 2: without the memory mapping by which SQLite could write past a disk.
constexpr sqlite3_io_methods methods{2,
                                     close_file,
                                     read_file_at,
                                     write_file_at,
                                     truncate_file,
                                     sync_opened_file,
                                     file_size,
                                     lock_file,
                                     unlock_file,
                                     check_reserved_lock,
                                     control_file,
                                     sector_size,
                                     device_characteristics,
                                     map_shared_memory,
                                     lock_shared_memory,
                                     fence_shared_memory,
                                     unmap_shared_memory,
                                     nullptr,
                                     nullptr};

sqlite3_vfs* usual_vfs() {
  return sqlite3_vfs_find(nullptr);
}

Disk& disk_of(sqlite3_vfs* vfs) {
  return *static_cast<Disk*>(vfs->pAppData);
}

bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

/// Throws Error where the disk does not open it.
void open_on_disk(DiskFile& file, int flags) {
  const bool may_create = (flags & SQLITE_OPEN_CREATE) != 0;
  const bool is_read_only = (flags & SQLITE_OPEN_READONLY) != 0;
  file.is_new = may_create;  // or it was there, and its name may never have been synced
  file.written = file.disk.open(file.path, (is_read_only ? O_RDONLY : O_RDWR) | (may_create ? O_CREAT : 0),
                                FileMode::secret);
}

int open_file_of(sqlite3_vfs* vfs, const char* name, sqlite3_file* memory, int flags, int* out_flags) {
  memory->pMethods = nullptr;
  sqlite3_vfs* const real = usual_vfs();
  if (name == nullptr || (flags & durable_kinds) == 0)
    return real->xOpen(real, name, memory, flags, out_flags);
  DiskFile* file = nullptr;
  int code = attempt(SQLITE_CANTOPEN, [&] {
    file = new (memory) DiskFile(disk_of(vfs), name);
    open_on_disk(*file, flags);
  });
  if (code == SQLITE_OK) code = real->xOpen(real, name, file->usual(), flags, out_flags);
  if (code == SQLITE_OK) {
    file->pMethods = &methods;
  } else if (file != nullptr) {
    file->~DiskFile();
    memory->pMethods = nullptr;
  }
  return code;
}

int delete_file(sqlite3_vfs* vfs, const char* name, int sync) {
  const std::filesystem::path path(name);
  if (!is_there(path)) return SQLITE_IOERR_DELETE_NOENT;
  return attempt(SQLITE_IOERR_DELETE, [&] {
    disk_of(vfs).remove(path);
    if (sync != 0) disk_of(vfs).sync_folder(path.parent_path());
  });
}

}  // namespace

DiskVfs::DiskVfs(Disk& disk)
    : name_("fl-disk-" + std::to_string(reinterpret_cast<std::uintptr_t>(this))), vfs_(*usual_vfs()) {
  // All else of the default VFS does not look at which one it is called by.
  vfs_.pNext = nullptr;
  vfs_.zName = name_.c_str();
  vfs_.szOsFile += static_cast<int>(sizeof(DiskFile));
  vfs_.pAppData = &disk;
  vfs_.xOpen = open_file_of;
  vfs_.xDelete = delete_file;
  if (sqlite3_vfs_register(&vfs_, 0) != SQLITE_OK)
    throw Error(ErrorCode::internal, "SQLite takes no further way to write files");
}

DiskVfs::~DiskVfs() {
  sqlite3_vfs_unregister(&vfs_);
}

}  // namespace fl::server
