#include <filesystem>
#include <fstream>
#include <thread>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "common/base/files.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/engine/support.h"

using namespace fl;
using namespace fl::test;

TEST_CASE("the engine says which libtorch and which BLAS it runs on") {
  const std::string text = engine().describe();
  CHECK(text.rfind("libtorch ", 0) == 0);
  CHECK(text.find(", BLAS ") != std::string::npos);
  MESSAGE(text);
}

TEST_CASE("the engine is loaded once however many ask for it") {
  const std::shared_ptr<Engine> first = load_engine();
  std::vector<std::shared_ptr<Engine>> others(4);
  std::vector<std::thread> threads;
  threads.reserve(others.size());
  for (auto& each : others) threads.emplace_back([&each] { each = load_engine(); });
  for (auto& each : threads) each.join();
  for (const auto& each : others) CHECK(each == first);
}

TEST_CASE("a folder without the module is named in the error") {
  const TemporaryFolder folder;
  try {
    load_engine(folder.path());
    FAIL("something was loaded");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::not_found);
    CHECK(std::string(error.what()) ==
          "no fl-engine-torch.so in " + folder.path().string() + "; name its folder in FL_ENGINE_DIR");
  }
}

TEST_CASE("a module that cannot be loaded is unavailable in the words of the loader") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "fl-engine-torch.so", as_bytes(std::string_view("no library")));
  try {
    load_engine(folder.path());
    FAIL("something was loaded");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::unavailable);
    CHECK(std::string(error.what()).find("file too short") != std::string::npos);
  }
}

TEST_CASE("models outlive the engine that opened them") {
  std::shared_ptr<Engine> other = load_engine();
  auto model = other->open(other->build({"linear", {2}, 1, {}, 0}, 1), contract_for(Loss::mse, {2}));
  other.reset();
  const Tensor input = normal_inputs({3, 2}, 1);
  const std::vector<TensorView> inputs = {input.view()};
  CHECK(model->predict(inputs).front().shape == Shape{3, 1});
}
