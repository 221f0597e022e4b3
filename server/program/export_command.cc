#include <iostream>

#include "common/base/files.h"
#include "common/model/safetensors.h"
#include "server/ledger/blob_store.h"
#include "server/program/commands.h"
#include "server/program/model_access.h"

namespace fl::server {
namespace {

using program::Arguments;

/// Needs no engine: the layout says where each tensor lies.
Bytes safetensors_of(const ServerHome& home, const KnownTask& task, const KnownVersion& version) {
  const Weights weights = weights_from(BlobStore(home.blobs_path()).get(version.weights), task.layout.size());
  return to_safetensors(task.layout, weights);
}

Bytes archive_of(const ServerHome& home, const KnownTask& task, const KnownVersion& version) {
  const std::unique_ptr<Model> model = open_model(home, task);
  load_version(home, version, *model);
  return model->save();
}

int run(const Arguments& arguments) {
  const std::filesystem::path output = arguments.path("output");
  const std::string kind = output.extension().string();
  if (kind != ".pt" && kind != ".safetensors") {
    throw program::UsageError("--output: '" + output.string() +
                              "' ends neither with .pt (a TorchScript archive) nor with .safetensors");
  }
  if (const auto folder = std::filesystem::absolute(output).parent_path();
      !std::filesystem::is_directory(folder)) {
    throw Error(ErrorCode::not_found,
                output.string() + " cannot be written: there is no folder " + folder.string());
  }
  const ServerHome home = ServerHome::open(arguments.path("DIR"));
  const KnownTask task = ask_task(home, arguments.text("TASK"));
  const auto number = arguments.has("version") ? arguments.integer("version", 1) : 0;
  const KnownVersion version = ask_version(home, task.name, static_cast<std::uint64_t>(number));
  const Bytes content = kind == ".pt" ? archive_of(home, task, version) : safetensors_of(home, task, version);
  write_file_atomically(output, content);
  std::cout << "Wrote version " << version.version << " of " << task.name << " to " << output.string() << " ("
            << program::readable_bytes(content.size()) << ")\n";
  return program::exit_ok;
}

}  // namespace

program::Command export_command() {
  return {"export", "writes a version as a .pt that PyTorch loads, or as safetensors",
          "fl-server export ~/fl-server har --output har.pt\n"
          "fl-server export ~/fl-server har --output har.safetensors --version 3",
          program::Options()
              .argument("DIR", "the server's home")
              .argument("TASK", "the task's name")
              .value("output", "FILE", "where to write; its ending, .pt or .safetensors, says what")
              .value("version", "N", "which version; the latest without it"),
          run};
}

}  // namespace fl::server
