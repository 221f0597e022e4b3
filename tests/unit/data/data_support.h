#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "common/model/contract.h"
#include "tests/support/temporary_folder.h"

namespace fl::test {

inline std::filesystem::path write(const TemporaryFolder& folder, const std::string& name,
                                   std::string_view text) {
  const auto path = folder / name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

/// That `action` throws an Error of `code` whose sentence holds every one of `parts`.
template <typename Action, typename... Parts>
void check_error(ErrorCode code, Action action, const Parts&... parts) {
  try {
    action();
    FAIL_CHECK("no error was thrown");
  } catch (const Error& error) {
    const std::string sentence = error.what();
    CHECK_MESSAGE(error.code() == code, sentence);
    for (const std::string& part : {std::string(parts)...}) {
      CHECK_MESSAGE(sentence.find(part) != std::string::npos, sentence, " lacks ", part);
    }
  }
}

/// Two columns in windows of 4 samples, every 2, of three activities.
inline TaskContract windows_contract() {
  TaskContract contract;
  contract.inputs = {{"x", Datatype::fp32, {-1, 2, 4}}};
  contract.outputs = {{"logits", Datatype::fp32, {-1, 3}}};
  contract.labels = {"SIT", "WALK", "RUN"};
  contract.data.format = DataFormat::windows;
  contract.data.columns = {"a", "b"};
  contract.data.label = "label";
  contract.data.scale = {1.0, 0.5};
  contract.data.window = 4;
  contract.data.step = 2;
  return contract;
}

/// Two columns, and a loss with what it needs.
inline TaskContract table_contract(Loss loss, Shape output, std::vector<std::string> labels = {}) {
  TaskContract contract;
  contract.inputs = {{"x", Datatype::fp32, {-1, 2}}};
  contract.outputs = {{"y", Datatype::fp32, std::move(output)}};
  contract.loss = loss;
  contract.labels = std::move(labels);
  contract.data.format = DataFormat::table;
  contract.data.columns = {"a", "b"};
  contract.data.label = "y";
  return contract;
}

}  // namespace fl::test
