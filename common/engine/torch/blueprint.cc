#include "common/engine/torch/blueprint.h"

#include <cmath>
#include <initializer_list>

#include "common/base/error.h"

namespace fl::libtorch {
namespace {

constexpr std::int64_t kernel = 5;
constexpr std::int64_t pooling = 4;  // two halvings
constexpr std::int64_t embedding = 8;
/// Keeps products of sizes far from overflow.
constexpr std::int64_t largest_size = 1 << 24;

[[noreturn]] void refuse(const Architecture& architecture, const std::string& why) {
  throw Error(ErrorCode::invalid_argument, "architecture " + architecture.name + ": " + why);
}

void check_sizes(const Architecture& architecture, const std::string& what, const Shape& sizes) {
  for (const std::int64_t size : sizes) {
    if (size >= 1 && size <= largest_size) continue;
    refuse(architecture, what + " " + describe(sizes) + " is outside 1 to " + std::to_string(largest_size));
  }
}

void check_rank(const Architecture& architecture, std::size_t rank, const std::string& meaning) {
  if (architecture.input_shape.size() == rank) return;
  refuse(architecture, "the input shape " + describe(architecture.input_shape) + " is not " + meaning);
}

/// The widths of the hidden layers: those asked for, of which there must be as many, or the usual ones.
Shape widths(const Architecture& architecture, const Shape& usual) {
  if (architecture.hidden.empty()) return usual;
  if (architecture.hidden.size() == usual.size()) return architecture.hidden;
  refuse(architecture, "has " + std::to_string(usual.size()) + " hidden widths, " +
                           std::to_string(architecture.hidden.size()) + " were given");
}

void add_line(Blueprint& blueprint, const std::string& line) {
  blueprint.source += "    " + line + "\n";
}

/// A weight and a bias that are drawn as PyTorch does for linear layers and convolutions.
void add_parameters(Blueprint& blueprint, const std::string& part, const Shape& weight) {
  const auto inputs = static_cast<double>(element_count(weight)) / static_cast<double>(weight.front());
  const double bound = 1.0 / std::sqrt(inputs);
  blueprint.parameters.push_back({part, "weight", weight, bound, false});
  blueprint.parameters.push_back({part, "bias", {weight.front()}, bound, false});
}

void add_linear(Blueprint& blueprint, const std::string& part, std::int64_t inputs, std::int64_t outputs,
                bool relu) {
  add_parameters(blueprint, part, {outputs, inputs});
  const std::string call = "torch.linear(x, self." + part + ".weight, self." + part + ".bias)";
  add_line(blueprint, "x = " + (relu ? "torch.relu(" + call + ")" : call));
}

/// Convolution, ReLU and pooling over as many dimensions as `size`, which is halved.
void add_convolution(Blueprint& blueprint, const std::string& part, std::int64_t inputs, std::int64_t outputs,
                     Shape& size) {
  const bool flat = size.size() == 1;
  Shape weight = {outputs, inputs};
  weight.resize(2 + size.size(), kernel);
  add_parameters(blueprint, part, weight);
  const std::string dimensions = flat ? "1d" : "2d";
  add_line(blueprint, "x = torch.conv" + dimensions + "(x, self." + part + ".weight, self." + part +
                          ".bias, " + (flat ? "[1], [2])" : "[1, 1], [2, 2])"));
  add_line(blueprint,
           "x = torch.max_pool" + dimensions + "(torch.relu(x), " + (flat ? "[2], [2])" : "[2, 2], [2, 2])"));
  for (std::int64_t& each : size) each /= 2;
}

Blueprint start(const std::string& class_name) {
  Blueprint blueprint;
  blueprint.class_name = class_name;
  blueprint.source = "def forward(self, x: Tensor) -> Tensor:\n";
  return blueprint;
}

Blueprint dense(const Architecture& architecture, const std::string& class_name, const Shape& hidden) {
  Blueprint blueprint = start(class_name);
  if (architecture.input_shape.empty()) check_rank(architecture, 1, "[columns]");
  add_line(blueprint, "x = torch.flatten(x, 1)");
  auto inputs = static_cast<std::int64_t>(element_count(architecture.input_shape));
  for (std::size_t i = 0; i < hidden.size(); ++i) {
    add_linear(blueprint, "layer" + std::to_string(i + 1), inputs, hidden[i], true);
    inputs = hidden[i];
  }
  add_linear(blueprint, "output", inputs, architecture.outputs, false);
  add_line(blueprint, "return x");
  return blueprint;
}

Blueprint convolutional(const Architecture& architecture, const std::string& class_name,
                        const Shape& hidden) {
  Blueprint blueprint = start(class_name);
  const Shape& shape = architecture.input_shape;
  Shape size(shape.begin() + 1, shape.end());
  for (const std::int64_t each : size) {
    if (each < pooling) {
      refuse(architecture, "the input shape " + describe(shape) +
                               " is too small: after its channels it needs " + std::to_string(pooling) +
                               " or more");
    }
  }
  add_convolution(blueprint, "conv1", shape.front(), hidden[0], size);
  add_convolution(blueprint, "conv2", hidden[0], hidden[1], size);
  add_line(blueprint, "x = torch.flatten(x, 1)");
  const auto features = static_cast<std::int64_t>(element_count(size)) * hidden[1];
  add_linear(blueprint, "dense", features, hidden[2], true);
  add_linear(blueprint, "output", hidden[2], architecture.outputs, false);
  add_line(blueprint, "return x");
  return blueprint;
}

Blueprint recurrent(const Architecture& architecture) {
  check_rank(architecture, 1, "[length]");
  if (architecture.vocabulary < 2) refuse(architecture, "needs a vocabulary of 2 or more characters");
  check_sizes(architecture, "the vocabulary", {architecture.vocabulary});
  const std::int64_t width = widths(architecture, {128}).front();
  Blueprint blueprint = start("Lstm");
  blueprint.parameters.push_back({"embedding", "weight", {architecture.vocabulary, embedding}, 0.0, true});
  const double bound = 1.0 / std::sqrt(static_cast<double>(width));
  blueprint.parameters.push_back({"lstm", "weight_ih_l0", {4 * width, embedding}, bound, false});
  blueprint.parameters.push_back({"lstm", "weight_hh_l0", {4 * width, width}, bound, false});
  blueprint.parameters.push_back({"lstm", "bias_ih_l0", {4 * width}, bound, false});
  blueprint.parameters.push_back({"lstm", "bias_hh_l0", {4 * width}, bound, false});
  add_line(blueprint, "x = torch.embedding(self.embedding.weight, x)");
  add_line(blueprint, "h = torch.zeros([1, x.size(0), " + std::to_string(width) + "])");
  add_line(blueprint,
           "x, _, _ = torch.lstm(x, [h, h], [self.lstm.weight_ih_l0, self.lstm.weight_hh_l0, "
           "self.lstm.bias_ih_l0, self.lstm.bias_hh_l0], True, 1, 0.0, False, False, True)");
  add_line(blueprint, "x = torch.select(x, 1, -1)");
  add_linear(blueprint, "output", width, architecture.outputs, false);
  add_line(blueprint, "return x");
  return blueprint;
}

}  // namespace

Blueprint blueprint_of(const Architecture& architecture) {
  const std::string& name = architecture.name;
  check_sizes(architecture, "the input shape", architecture.input_shape);
  check_sizes(architecture, "the number of outputs", {architecture.outputs});
  check_sizes(architecture, "the hidden widths", architecture.hidden);
  if (name == "linear") return dense(architecture, "Linear", widths(architecture, {}));
  if (name == "mlp") {
    return dense(architecture, "Mlp", architecture.hidden.empty() ? Shape{64} : architecture.hidden);
  }
  if (name == "cnn1d") {
    check_rank(architecture, 2, "[channels, length]");
    return convolutional(architecture, "Cnn1d", widths(architecture, {32, 64, 64}));
  }
  if (name == "cnn2d") {
    check_rank(architecture, 3, "[channels, height, width]");
    return convolutional(architecture, "Cnn2d", widths(architecture, {32, 64, 512}));
  }
  if (name == "lstm") return recurrent(architecture);
  throw Error(ErrorCode::invalid_argument,
              "there is no architecture '" + name + "'; there are linear, mlp, cnn1d, cnn2d and lstm");
}

}  // namespace fl::libtorch
