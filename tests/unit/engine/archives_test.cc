#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <thread>

#include <doctest/doctest.h>

#include "common/base/error.h"
#include "tests/unit/engine/python_archives.h"
#include "tests/unit/engine/support.h"

using namespace fl;
using namespace fl::test;

namespace {

TaskContract contract_of(const std::string& name, Loss loss = Loss::cross_entropy) {
  if (name == "images" || name == "channels_last") return contract_for(loss, {3, 8, 8});
  TaskContract contract = contract_for(loss, {6});
  if (name == "tied" || name == "sparse") contract.inputs = {{"x", Datatype::int64, {-1, 5}}};
  if (name == "two_inputs" || name == "two_inputs_own_loss") {
    contract.inputs.push_back({"z", Datatype::fp32, {-1, 4}});
  }
  return contract;
}

std::unique_ptr<Model> open(const PythonArchives& archives, const std::string& name,
                            Loss loss = Loss::cross_entropy) {
  return engine().open(archives.archive(name), contract_of(name, loss));
}

std::vector<std::string> names_of(const Layout& layout, Role role) {
  std::vector<std::string> names;
  for (const LayoutEntry& entry : layout.entries()) {
    if (entry.role == role) names.push_back(entry.name);
  }
  return names;
}

using Names = std::vector<std::string>;

double largest_difference(std::span<const float> a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0.0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return largest;
}

Tensor answer(Model& model, const Tensor& input) {
  const std::vector<TensorView> inputs = {input.view()};
  return model.predict(inputs).front();
}

/// The error for opening or for training on the usual examples.
std::string refusal(const PythonArchives& archives, const std::string& name,
                    Loss loss = Loss::cross_entropy) {
  try {
    auto model = open(archives, name, loss);
    Examples examples = two_classes({24, 6}, 1);
    if (loss == Loss::own) examples.targets = normal_inputs({24, 1}, 2);
    const std::vector<float> before = copy_of(model->weights());
    try {
      model->train(examples, plain_plan(1, 8, 0.1), {}, nullptr);
    } catch (const Error&) {
      CHECK(copy_of(model->weights()) == before);
      throw;
    }
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::invalid_data);
    return error.what();
  }
  return "nothing was refused";
}

void check_trains_as_pytorch(const PythonArchives& archives, const std::string& name,
                             Loss loss = Loss::cross_entropy) {
  CAPTURE(name);
  auto model = open(archives, name, loss);
  TrainingPlan plan = plain_plan(10, 24, 0.1);
  plan.gradient_clip = 1.0;
  model->train(archives.examples(name), plan, {}, nullptr);
  CHECK(largest_difference(model->weights(), archives.trained(name)) < 2e-5);
}

}  // namespace

TEST_CASE("archives of real PyTorch train here as they train there") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  for (const char* name :
       {"mlp", "batchnorm", "cumulative_batchnorm", "two_inputs", "tied", "sparse", "images", "channels_last",
        "frozen", "double", "reassigned", "optional_buffer", "complex_buffer"}) {
    check_trains_as_pytorch(*archives, name);
  }
  check_trains_as_pytorch(*archives, "own_loss", Loss::own);
  check_trains_as_pytorch(*archives, "two_inputs_own_loss", Loss::own);
}

TEST_CASE("float buffers follow the trained tensors in the layout and integer ones are left out") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  const auto model = open(*archives, "batchnorm");
  const Layout& layout = model->layout();
  CHECK(names_of(layout, Role::trained) ==
        Names{"first.weight", "first.bias", "norm.weight", "norm.bias", "second.weight", "second.bias"});
  CHECK(names_of(layout, Role::buffer) == Names{"norm.running_mean", "norm.running_var"});
  CHECK(layout.entries().back().offset + layout.entries().back().count == layout.size());
  CHECK(layout.entries().front().shape == Shape{16, 6});
  CHECK(model->weights().size() == layout.size());
}

TEST_CASE("a normalised model trains where a batch of one would be left over") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  auto model = open(*archives, "batchnorm");
  const std::vector<float> before = copy_of(model->weights());
  const TrainingResult result = model->train(two_classes({17, 6}, 1), plain_plan(2, 16, 0.1), {}, nullptr);
  CHECK(result.steps == 2);
  const LayoutEntry& mean = model->layout().entries()[6];
  CHECK(mean.name == "norm.running_mean");
  CHECK(before[mean.offset] != model->weights()[mean.offset]);
}

TEST_CASE("sessions of a model that counts its batches repeat bit for bit (I4)") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  auto model = open(*archives, "cumulative_batchnorm");
  const std::vector<float> start = copy_of(model->weights());
  model->train(two_classes({40, 6}, 1), plain_plan(2, 8, 0.1), {}, nullptr);
  const std::vector<float> first = copy_of(model->weights());
  std::copy(start.begin(), start.end(), model->weights().begin());
  model->train(two_classes({40, 6}, 1), plain_plan(2, 8, 0.1), {}, nullptr);
  CHECK(copy_of(model->weights()) == first);
}

TEST_CASE("tied weights are bound once and stay tied in what is saved") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  auto model = open(*archives, "tied");
  CHECK(names_of(model->layout(), Role::trained) == Names{"embedding.weight", "mix.weight", "mix.bias"});
  model->train(archives->examples("tied"), plain_plan(2, 8, 0.1), {}, nullptr);
  const auto again = engine().open(model->save(), contract_of("tied"));
  CHECK(again->layout().hash() == model->layout().hash());
  CHECK(copy_of(again->weights()) == copy_of(model->weights()));
}

TEST_CASE("frozen parameters are left out and unchanged") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  auto model = open(*archives, "frozen");
  CHECK(names_of(model->layout(), Role::trained) == Names{"second.weight", "second.bias"});
  const Tensor input = normal_inputs({4, 6}, 3);
  const std::vector<float> start = copy_of(model->weights());
  const std::vector<float> before = copy_of(answer(*model, input).floats());
  TrainingPlan plan = plain_plan(2, 8, 0.1);
  plan.weight_decay = 0.1;
  model->train(two_classes({24, 6}, 1), plan, {}, nullptr);
  CHECK(copy_of(answer(*model, input).floats()) != before);
  std::copy(start.begin(), start.end(), model->weights().begin());
  CHECK(copy_of(answer(*model, input).floats()) == before);
}

TEST_CASE("half and double precision archives run and train in single precision") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  for (const char* name : {"half", "double"}) {
    CAPTURE(name);
    auto model = open(*archives, name);
    const bool half = std::string(name) == "half";
    CHECK(model->layout().entries().front().archive_type == (half ? Datatype::fp16 : Datatype::fp64));
    TrainingPlan plan = plain_plan(20, 16, 0.1);
    model->train(two_classes({64, 6}, 1), plan, {}, nullptr);
    CHECK(model->evaluate(two_classes({64, 6}, 1)).accuracy.value() > 0.8);
    const auto again = engine().open(model->save(), contract_of(name));
    CHECK(copy_of(again->weights()) == copy_of(model->weights()));
  }
}

TEST_CASE("an input of half or double precision is taken as the contract says") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  TaskContract contract = contract_of("double");
  contract.inputs.front().datatype = Datatype::fp64;
  auto model = engine().open(archives->archive("double"), contract);
  const std::vector<float> single = {0.5F, -1.0F, 2.0F, 0.25F, 1.0F, -3.0F};
  const std::vector<double> values(single.begin(), single.end());
  Tensor input{Datatype::fp64, {1, 6}, Bytes(48)};
  std::memcpy(input.data.data(), values.data(), input.data.size());
  const Tensor wanted =
      answer(*open(*archives, "double"), make_tensor(std::span<const float>(single), {1, 6}));
  CHECK(copy_of(answer(*model, input).floats()) == copy_of(wanted.floats()));
  Examples examples{{input}, make_tensor(std::span<const std::int64_t>(std::vector<std::int64_t>{1}), {1})};
  CHECK(model->train(examples, plain_plan(1, 8, 0.1), {}, nullptr).steps == 1);
}

TEST_CASE("a parameter of an unknown precision is refused by name") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  CHECK(
      refusal(*archives, "bfloat16") ==
      "'first.weight' is a BFloat16 tensor, and only dense fp32, fp16 and fp64 ones can be trained; convert "
      "the model with model.float() before scripting it");
}

TEST_CASE("a half precision archive whose code insists on it is refused by name") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  const std::string sentence = refusal(*archives, "casts_to_half");
  CHECK(sentence.rfind("the model does not take its inputs as declared: x is FP32 [2, 6]; ", 0) == 0);
  CHECK(sentence.find("it stores 'first.weight', 'first.bias', 'second.weight' and 'second.bias' in another "
                      "type than fp32") != std::string::npos);
}

TEST_CASE("archives that cannot be trained are refused with what to do") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  CHECK(refusal(*archives, "jit_frozen") ==
        "the archive has no parameters to train; if it was saved after torch.jit.freeze, save the scripted "
        "module before freezing it");
  CHECK(refusal(*archives, "all_frozen") ==
        "all parameters of the archive are frozen (requires_grad is false), such as 'first.weight'");
  CHECK(refusal(*archives, "no_forward") == "the archive has no method forward");
  CHECK(refusal(*archives, "state_dict") ==
        "a PyTorch file without code, not a TorchScript archive; save the model with "
        "torch.jit.script(model).save(\"model.pt\")");
  CHECK(refusal(*archives, "overlapping") ==
        "'first' and 'second' share part of their memory; clone one of them before scripting the model");
  CHECK(refusal(*archives, "sharing_attribute") ==
        "'linear.weight' and 'row' share part of their memory; clone one of them before scripting the model");
  CHECK(refusal(*archives, "sharing_frozen") ==
        "'first.weight' and 'row' share part of their memory; clone one of them before scripting the model");
}

TEST_CASE("outputs that the loss cannot use are refused") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  CHECK(refusal(*archives, "dictionary") ==
        "forward gives a GenericDict, not a tensor or a tuple of tensors");
  CHECK(refusal(*archives, "segments") ==
        "the model gives [2, 2, 4] for 2 examples, cross_entropy needs [2, classes]");
  CHECK(refusal(*archives, "no_gradient") == "the loss does not depend on any trained parameter");
  CHECK(refusal(*archives, "vector_loss", Loss::own) ==
        "the archive's method loss gives no single floating-point number");
}

TEST_CASE("a buffer that changes its shape is refused by name and everything is as it was (I9)") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  CHECK(refusal(*archives, "growing") ==
        "the archive's code gives its buffer 'seen' the shape [4]; a buffer must stay a dense "
        "tensor of the same shape");
}

TEST_CASE("what an archive's code raises is passed on in its words") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  auto model = open(*archives, "picky");
  const std::vector<float> values = {1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 101.0F};
  const Tensor input = make_tensor(std::span<const float>(values), {1, 6});
  try {
    answer(*model, input);
    FAIL("nothing was raised");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::invalid_data);
    CHECK(std::string(error.what()) == "running the archive's code: values above 100 are not plausible");
  }
}

TEST_CASE("the archive's own loss is evaluated without an accuracy") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  auto model = open(*archives, "own_loss", Loss::own);
  const Examples examples = archives->examples("own_loss");
  const Evaluation before = model->evaluate(examples);
  CHECK_FALSE(before.accuracy.has_value());
  model->train(examples, plain_plan(20, 8, 0.1), {}, nullptr);
  CHECK(model->evaluate(examples).loss < before.loss);
}

TEST_CASE("a model of two inputs predicts and refuses inputs that do not go together") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  auto model = open(*archives, "two_inputs");
  const Tensor x = normal_inputs({3, 6}, 1);
  const Tensor z = normal_inputs({3, 4}, 2);
  const Tensor fewer = normal_inputs({2, 4}, 2);
  const std::vector<TensorView> good = {x.view(), z.view()};
  CHECK(model->predict(good).front().shape == Shape{3, 2});
  const std::vector<TensorView> bad = {x.view(), fewer.view()};
  CHECK_THROWS_WITH_AS(model->predict(bad), "input 'z' has 2 examples, input 'x' has 3", Error);
}

TEST_CASE("several outputs are answered in order as fp32") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  TaskContract contract = contract_of("pair");
  contract.outputs = {{"scores", Datatype::fp32, {-1, 2}}, {"class", Datatype::fp32, {-1}}};
  auto model = engine().open(archives->archive("pair"), contract);
  const Tensor input = normal_inputs({5, 6}, 1);
  const std::vector<TensorView> inputs = {input.view()};
  const std::vector<Tensor> outputs = model->predict(inputs);
  CHECK(outputs.size() == 2);
  const auto scores = outputs[0].floats();
  const auto classes = outputs[1].floats();
  for (std::size_t i = 0; i < 5; ++i) CHECK((scores[2 * i + 1] > scores[2 * i]) == (classes[i] > 0.5F));
}

TEST_CASE("dimensions of any size are taken as they come") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  auto model = engine().open(archives->archive("any_length"), contract_for(Loss::cross_entropy, {6, -1}));
  CHECK(answer(*model, normal_inputs({2, 6, 9}, 1)).shape == Shape{2, 2});
  CHECK(answer(*model, normal_inputs({1, 6, 40}, 1)).shape == Shape{1, 2});
}

TEST_CASE("code that changes its input changes nobody's examples") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  auto model = open(*archives, "changes_input");
  const Examples examples = two_classes({20, 6}, 1);
  const Bytes before = examples.inputs.front().data;
  model->train(examples, plain_plan(1, 8, 0.1), {}, nullptr);
  model->evaluate(examples);
  answer(*model, examples.inputs.front());
  CHECK(examples.inputs.front().data == before);
}

TEST_CASE("dropout draws from the session's seed even beside other sessions (I4)") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  const Examples examples = two_classes({64, 6}, 1);
  const auto train = [&](std::uint64_t seed) {
    auto model = open(*archives, "dropout");
    model->train(examples, plain_plan(5, 8, 0.1), {1, seed}, nullptr);
    return copy_of(model->weights());
  };
  const std::vector<float> alone = train(7);
  CHECK(train(7) == alone);
  CHECK(train(8) != alone);
  std::vector<std::vector<float>> beside(4);
  std::vector<std::thread> threads;
  threads.reserve(beside.size());
  for (auto& each : beside) threads.emplace_back([&] { each = train(7); });
  for (auto& each : threads) each.join();
  for (const auto& each : beside) CHECK(each == alone);
}

TEST_CASE("a parameter that the loss does not use stays as it is") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  auto model = open(*archives, "unused");
  CHECK(model->layout().entries().front().name == "spare");
  model->train(two_classes({24, 6}, 1), plain_plan(2, 8, 0.1), {}, nullptr);
  for (std::size_t i = 0; i < 3; ++i) CHECK(model->weights()[i] == 1.0F);
}

TEST_CASE("a training of many batches stops within a second of being told") {
  auto model = engine().open(engine().build({"mlp", {784}, 10, {200, 200}, 0}, 1),
                             contract_for(Loss::cross_entropy, {784}, 10));
  const Examples examples = two_classes({2000, 784}, 1);
  using Clock = std::chrono::steady_clock;
  Clock::time_point told;
  const TrainingResult result =
      model->train(examples, plain_plan(1000, 10, 0.01), {}, [&](const TrainingProgress& progress) {
        told = Clock::now();
        return progress.step < 50;
      });
  CHECK(result.cancelled);
  CHECK(Clock::now() - told < std::chrono::seconds(1));
}

TEST_CASE("what PyTorch scripted is trained here and loads and answers the same there") {
  const auto archives = PythonArchives::find();
  if (!archives) return;
  std::vector<Answered> before;
  std::vector<Answered> after;
  for (const char* name : {"mlp", "batchnorm", "channels_last", "traced", "half", "dropout"}) {
    auto model = open(*archives, name);
    const Shape shape = std::string(name) == "channels_last" ? Shape{24, 3, 8, 8} : Shape{24, 6};
    const Tensor input = normal_inputs(shape, 2);
    const Bytes untrained = model->save();
    model->train(two_classes(shape, 1), plain_plan(3, 8, 0.1), {}, nullptr);
    after.push_back({model->save(), input, answer(*model, input)});
    before.push_back({untrained, input, after.back().outputs});
  }
  CHECK(same_in_python(after) == std::vector<bool>(after.size(), true));
  CHECK(same_in_python(before) == std::vector<bool>(before.size(), false));
}

TEST_CASE("what is built here loads and answers the same in PyTorch") {
  if (!PythonArchives::find()) return;
  std::vector<Answered> answered;
  const auto add = [&](const Architecture& architecture) {
    const Bytes archive = engine().build(architecture, 5);
    auto model = engine().open(archive, contract_for(Loss::cross_entropy, architecture.input_shape));
    Shape shape = architecture.input_shape;
    shape.insert(shape.begin(), 3);
    const Tensor input = normal_inputs(shape, 2);
    answered.push_back({archive, input, answer(*model, input)});
  };
  add({"linear", {6}, 2, {}, 0});
  add({"mlp", {6}, 2, {}, 0});
  add({"cnn1d", {6, 50}, 5, {}, 0});
  add({"cnn2d", {1, 28, 28}, 10, {}, 0});
  CHECK(same_in_python(answered) == std::vector<bool>(answered.size(), true));
}

TEST_CASE("saving changes nothing and what is saved is as large as the model") {
  auto model = engine().open(engine().build({"mlp", {200}, 10, {200, 200}, 0}, 1),
                             contract_for(Loss::cross_entropy, {200}, 10));
  const std::vector<float> before = copy_of(model->weights());
  const Bytes archive = model->save();
  CHECK(archive.size() < before.size() * sizeof(float) + 20'000);
  CHECK(copy_of(model->weights()) == before);
  CHECK(model->save() == archive);
  model->weights()[0] += 1.0F;
  CHECK(model->save() != archive);
  CHECK(model->train(two_classes({20, 200}, 1), plain_plan(1, 8, 0.1), {}, nullptr).steps == 3);
}
