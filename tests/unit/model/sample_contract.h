#pragma once

#include "common/model/contract.h"

namespace fl::test {

/// Contracts that validate, one for each data format.
inline TaskContract windows_contract() {
  TaskContract contract;
  contract.inputs = {{"motion", Datatype::fp32, {-1, 3, 50}}};
  contract.outputs = {{"activity", Datatype::fp32, {-1, 2}}};
  contract.labels = {"sitting", "walking"};
  contract.data.format = DataFormat::windows;
  contract.data.columns = {"x", "y", "z"};
  contract.data.label = "label";
  contract.data.scale = {1 / 9.81, 0.1, 1.0};
  contract.data.window = 50;
  contract.data.step = 25;
  return contract;
}

inline TaskContract table_contract() {
  TaskContract contract;
  contract.inputs = {{"features", Datatype::fp32, {-1, 2}}};
  contract.outputs = {{"price", Datatype::fp32, {-1, 1}}};
  contract.loss = Loss::mse;
  contract.data.columns = {"rooms", "area"};
  contract.data.label = "price";
  return contract;
}

inline TaskContract images_contract() {
  TaskContract contract;
  contract.inputs = {{"image", Datatype::fp32, {-1, 1, 28, 20}}};
  contract.outputs = {{"digit", Datatype::fp32, {-1, 3}}};
  contract.labels = {"0", "1", "2"};
  contract.data.format = DataFormat::images;
  contract.data.height = 28;
  contract.data.width = 20;
  return contract;
}

inline TaskContract text_contract() {
  TaskContract contract;
  contract.inputs = {{"text", Datatype::int64, {-1, 80}}};
  contract.outputs = {{"next", Datatype::fp32, {-1, 4}}};
  contract.labels = {"a", "b", "c", "\n"};
  contract.data.format = DataFormat::text;
  contract.data.alphabet = "abc\n";
  contract.data.length = 80;
  return contract;
}

}  // namespace fl::test
