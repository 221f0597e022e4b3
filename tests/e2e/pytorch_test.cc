#include <cstdlib>

#include <doctest/doctest.h>

#include "tests/e2e/federation.h"

using namespace fl::test;

namespace {

const std::string python = "/usr/bin/python3";

bool has_pytorch() {
  return Process(python, {"-c", "import torch"}).wait().exit_code == 0;
}

std::string python_says(const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {FL_E2E_DIR "/pytorch_model.py"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const Ended ended = Process(python, words).wait();
  CAPTURE(ended.errors);
  REQUIRE(ended.exit_code == 0);
  return ended.output;
}

}  // namespace

TEST_CASE("a model scripted by PyTorch trains with its batch statistics and the export loads back there") {
  if (!has_pytorch()) {
    MESSAGE("skipped: /usr/bin/python3 cannot import torch (Debian: python3-torch)");
    return;
  }
  const TemporaryFolder models;
  const std::string scripted = (models.path() / "scripted.pt").string();
  const std::string exported = (models.path() / "exported.pt").string();
  python_says({"save", scripted});
  CHECK(python_says({"load", scripted}).find("mean 0.0\n") != std::string::npos);

  Federation::Settings settings;
  settings.model = "model = " + scripted + "\n";
  Federation federation(settings);
  federation.start_server();
  federation.start_devices();
  federation.wait_for_version(4);
  output_of("fl-server", {"export", federation.server_home().string(), "motion", "--output", exported});
  const std::string loaded = python_says({"load", exported});
  CAPTURE(loaded);
  // 6·8·5 + 8 of the convolution, 8 + 8 of the normalisation, 8·5 + 5 of the answer.
  CHECK(loaded.find("parameters 309\n") != std::string::npos);
  CHECK(loaded.find("mean 0.0\n") == std::string::npos);
  // Integer buffers stay where they are.
  CHECK(loaded.find("batches 0\n") != std::string::npos);

  const std::string tensors = (models.path() / "exported.safetensors").string();
  output_of("fl-server", {"export", federation.server_home().string(), "motion", "--output", tensors});
  CHECK(std::filesystem::file_size(tensors) > (309 + 16) * sizeof(float));
}
