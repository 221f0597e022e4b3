// The readers of data sets, each with a task of its own: every example is shaped as the contract has it.
#include <vector>

#include "common/data/reader.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/memory_file.h"
#include "tests/unit/model/sample_contract.h"

using namespace fl;
using namespace fl::fuzz;

namespace {

/// Contracts of sizes that inputs of a few bytes have.
TaskContract contract_of(unsigned format) {
  if (format == 0) {
    TaskContract contract = test::windows_contract();
    contract.inputs.front().shape = {-1, 3, 2};
    contract.data.window = 2;
    contract.data.step = 1;
    return contract;
  }
  if (format == 1) return test::table_contract();
  if (format == 2) {
    TaskContract contract = test::images_contract();
    contract.inputs.front().shape = {-1, 1, 2, 3};
    contract.data.height = 2;
    contract.data.width = 3;
    return contract;
  }
  TaskContract contract = test::text_contract();
  contract.inputs.front().shape = {-1, 3};
  contract.data.length = 3;
  return contract;
}

void check(const Example& example, const TaskContract& contract) {
  const Shape& batch = contract.inputs.front().shape;
  require(example.inputs.size() == 1, "an example has one input");
  const Tensor& tensor = example.inputs.front();
  require(tensor.shape == Shape(batch.begin() + 1, batch.end()), "its shape is the contract's");
  require(tensor.data.size() == element_count(tensor.shape) * size_of(tensor.datatype), "it is all there");
}

}  // namespace

void fl::fuzz::try_input(ByteView input) {
  const std::uint8_t choice = take_byte(input);
  const TaskContract contract = contract_of(choice % 4U);
  const LabelPolicy policy = choice < 128 ? LabelPolicy::required : LabelPolicy::optional;
  // Two files where there are images and labels.
  const std::size_t cut = std::min<std::size_t>(take_byte(input), input.size());
  const MemoryFile first(input.first(contract.data.format == DataFormat::images ? cut : input.size()));
  const MemoryFile second(input.subspan(cut));
  std::vector<std::filesystem::path> files{first.path()};
  if (contract.data.format == DataFormat::images) files.push_back(second.path());
  unless_refused([&] {
    const auto reader = open_examples(files, contract, policy);
    while (const auto example = reader->next()) check(*example, contract);
    return true;
  });
}
