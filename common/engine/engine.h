#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/model/contract.h"
#include "common/model/examples.h"
#include "common/model/layout.h"
#include "common/model/plan.h"
#include "common/model/tensor.h"

namespace fl {

/// How far a training session has come.
struct TrainingProgress {
  std::uint64_t step = 0;   ///< Batches done.
  std::uint64_t steps = 0;  ///< Batches in all.
  double loss = 0.0;        ///< Of the last batch.
};

/// Called between batches on the training thread; returns whether to go on. It is called at least once a
/// second as long as a single batch takes less.
using ProgressCallback = std::function<bool(const TrainingProgress&)>;

struct TrainingResult {
  std::uint64_t steps = 0;  ///< Batches done.
  double loss = 0.0;        ///< Mean over the last epoch's (or, with steps, over all) examples, as trained.
  bool cancelled = false;   ///< The callback said stop; the weights are as the last batch left them.
};

struct Evaluation {
  std::uint64_t examples = 0;
  double loss = 0.0;               ///< Mean over the examples.
  std::optional<double> accuracy;  ///< Share of right answers, for cross_entropy and bce_with_logits.
};

/// Which session of training this is; together with the plan it fixes the weights bit for bit, for the same
/// libtorch, BLAS and CPU and one intra-op thread.
struct TrainingSession {
  std::uint64_t round = 1;  ///< Sets the learning rate by the plan's schedule.
  std::uint64_t seed = 1;   ///< Of the shuffling, and of the generator of models that draw random numbers.
  /// Added to every gradient, after all else; as long as the trained part, or empty. With sgd alone.
  std::span<const float> correction = {};
};

/// An opened model whose parameters and float buffers are views of one flat vector.
///
/// One thread at a time; different models may be used by different threads. Every method may throw
/// Error(invalid_data) where the archive's code fails on what it is given, with the archive's own message.
///
/// In the vector are the parameters that the archive does not freeze (requires_grad is false), tied ones
/// once, and the floating buffers, a buffer that may be None if it is not. What the archive stores as fp16 or
/// fp64 runs and is saved as fp32.
///
/// What the code computes is to depend on the vector and the archive alone. So buffers of other types
/// (integer, boolean, complex) and the attributes of modules have the archive's values at the start of every
/// call, whatever the code made of them before, and neither travel nor are saved. What is inside a list, a
/// dictionary, an object or a sparse tensor is not looked after: code must not change it.
class Model {
 public:
  virtual ~Model() = default;

  virtual const Layout& layout() const = 0;

  /// The live flat vector, layout().size() elements: writing to it changes the model, training changes it.
  virtual std::span<float> weights() = 0;
  std::span<const float> weights() const { return const_cast<Model*>(this)->weights(); }

  /// Runs the model with its present weights as Engine::open() does with the archive's: on two made-up
  /// examples and on one, floating inputs being numbers between 0 and 1 that are the same every time and the
  /// others zeros, with 32, 256 or 1 for dimensions of any size, whichever runs first. A model that meanwhile
  /// draws no random numbers, or does not change its weights in place, is taken for one that never does in
  /// evaluation mode. Throws Error(invalid_data) where it does not run, where its outputs do not fit the
  /// loss, the labels or the contract, or where one of them is NaN or infinite.
  virtual void try_out() = 0;

  /// Answers a batch: one tensor per input in the contract's order, all with the same first dimension.
  /// Returns one tensor per output of the contract, as fp32, in evaluation mode and without gradients. A
  /// model that draws random numbers draws the same ones every time. The weights stay as they are, even where
  /// the code changes them, if try_out() has seen it do so. Throws Error(invalid_argument) naming the input
  /// whose datatype or shape does not fit the contract.
  virtual std::vector<Tensor> predict(std::span<const TensorView> inputs) = 0;

  /// Trains on all of `examples`, reshuffled each epoch. The last batch of an epoch may be smaller; were it a
  /// single example, it joins the batch before it, because normalisation layers cannot train on one.
  /// A parameter that a batch's loss does not depend on is left alone by that batch's step, weight decay and
  /// momentum included. A session starts with a fresh optimiser, so that nothing but the weights goes over
  /// from one to the next. Throws Error(invalid_argument) where there are no examples, the plan is not
  /// valid or the correction does not fit, and Error(invalid_data) where the loss becomes NaN or infinite.
  /// After any exception, `progress`'s own included, the weights are as before the call.
  virtual TrainingResult train(const Examples& examples, const TrainingPlan& plan,
                               const TrainingSession& session, const ProgressCallback& progress) = 0;

  /// Loss and accuracy in evaluation mode, with the weights and the random numbers as in predict(). An
  /// example whose output is NaN or infinite is answered wrongly. No examples give an Evaluation of zero
  /// examples.
  virtual Evaluation evaluate(const Examples& examples) = 0;

  /// An archive of this model with its present weights, in evaluation mode, which plain PyTorch loads with
  /// torch.jit.load.
  virtual Bytes save() const = 0;
};

/// A model named instead of brought.
struct Architecture {
  std::string name;  ///< linear, mlp, cnn1d, cnn2d or lstm
  std::vector<std::int64_t>
      input_shape;           ///< Of one example: {columns}, {channels, length}, {channels, h, w}, {length}
  std::int64_t outputs = 0;  ///< Classes or values
  std::vector<std::int64_t> hidden;  ///< Widths of hidden layers; empty: the architecture's own
  std::int64_t vocabulary = 0;       ///< lstm: how many characters there are
};

/// The one door to a machine learning library. Thread-safe; shared by all models it opens, which keep what
/// they need of it alive.
///
/// Every call computes on the calling thread alone: the first one on a thread sets libtorch's and OpenMP's
/// number of threads there to one, for good.
class Engine {
 public:
  virtual ~Engine() = default;

  /// For logs: "libtorch 1.13.0, BLAS OpenBLAS 0.3.21".
  virtual std::string describe() const = 0;

  /// Opens a TorchScript archive and tries it, as Model::try_out() says. The archive must have been verified:
  /// opening executes it. Throws Error(invalid_data) where the bytes are no archive, have no forward, no
  /// parameters to train or parameters that cannot be bound (each by name), or where the trial fails;
  /// Error(invalid_argument) where the contract has no inputs.
  virtual std::unique_ptr<Model> open(ByteView archive, const TaskContract& contract) = 0;

  /// Builds an architecture with weights drawn from `seed` and saves it as an ordinary archive.
  /// Throws Error(invalid_argument) naming what of the architecture is unknown or does not fit.
  virtual Bytes build(const Architecture& architecture, std::uint64_t seed) = 0;
};

}  // namespace fl
