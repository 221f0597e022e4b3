#pragma once

#include "client/store/model_store.h"
#include "tests/unit/client/federation.h"

namespace fl::test {

inline void put_part(client::ModelStore& store, const Digest& hash, ByteView bytes) {
  if (store.has_part(hash)) return;
  client::PartFile part = store.begin_part(hash, bytes.size());
  part.append(bytes.subspan(part.offset()));
  part.finish();
}

/// Puts a version's archive and weights into the store, as fetching does.
inline void fetch(client::ModelStore& store, const PublishedVersion& version) {
  put_part(store, version.manifest.archive_hash, version.archive);
  put_part(store, version.manifest.weights_hash, as_bytes(std::span<const float>(version.weights)));
}

inline void adopt(client::ModelStore& store, const PublishedVersion& version) {
  fetch(store, version);
  store.adopt(version.signed_manifest, Evaluation{10, 0.5, 0.75});
}

}  // namespace fl::test
