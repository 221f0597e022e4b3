#include "server/program/model_access.h"

#include "common/base/error.h"
#include "common/engine/engine_module.h"
#include "server/ledger/blob_store.h"

namespace fl::server {

std::unique_ptr<Model> open_model(const ServerHome& home, const KnownTask& task) {
  const BlobStore blobs(home.blobs_path());
  std::unique_ptr<Model> model = load_engine()->open(blobs.get(task.archive), task.contract);
  if (model->layout().hash() != task.layout.hash()) {
    throw Error(ErrorCode::invalid_data,
                "this engine lays the model of '" + task.name + "' out otherwise than the one that added it");
  }
  return model;
}

void load_version(const ServerHome& home, const KnownVersion& version, Model& model) {
  copy_weights(BlobStore(home.blobs_path()).get(version.weights), model.weights());
}

}  // namespace fl::server
