#include "common/data/motion_contract.h"

namespace fl {

TaskContract motion_contract() {
  TaskContract contract;
  contract.inputs = {{"x", Datatype::fp32, {-1, 6, 50}}};
  contract.outputs = {{"logits", Datatype::fp32, {-1, 5}}};
  contract.loss = Loss::cross_entropy;
  contract.labels = {"SEATED", "STANDING_UP", "WALKING", "TURNING", "SITTING_DOWN"};
  contract.data.format = DataFormat::windows;
  contract.data.columns = {"x_acc", "y_acc", "z_acc", "x_gyro", "y_gyro", "z_gyro"};
  contract.data.label = "label";
  contract.data.scale = {1 / 9.81, 1 / 9.81, 1 / 9.81, 1, 1, 1};
  contract.data.window = 50;
  contract.data.step = 25;
  return contract;
}

}  // namespace fl
