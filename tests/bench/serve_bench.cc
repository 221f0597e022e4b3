#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>

#include "client/agent/trial.h"
#include "client/include/fl/device.h"
#include "client/store/model_stores.h"
#include "common/base/files.h"
#include "common/base/text.h"
#include "tests/bench/http_load.h"
#include "tests/e2e/process.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/client/adopting.h"
#include "tests/unit/client/federation.h"
#include "tests/unit/engine/support.h"

namespace {

using namespace fl;
using bench::Served;
using test::Process;

constexpr std::size_t cores = 2;
constexpr std::chrono::seconds load_time{3};

struct Case {
  std::string name;
  Architecture architecture;
  std::size_t batch;  ///< In which libtorch alone is fastest.
};

/// What a model of windows [columns, samples], or of rows [columns], takes and gives.
TaskContract contract_of(const Case& which) {
  const Architecture& architecture = which.architecture;
  TaskContract contract = test::contract_for(Loss::cross_entropy, architecture.input_shape,
                                             static_cast<std::size_t>(architecture.outputs));
  contract.outputs = {{"output", Datatype::fp32, {-1, architecture.outputs}}};
  for (std::int64_t i = 0; i < architecture.input_shape.front(); ++i)
    contract.data.columns.push_back("c" + std::to_string(i));
  contract.data.label = "label";
  if (architecture.input_shape.size() == 2) {
    contract.data.format = DataFormat::windows;
    contract.data.window = contract.data.step = architecture.input_shape.back();
  }
  return contract;
}

/// A device's home with one task of this model.
class ServedHome {
 public:
  explicit ServedHome(const Case& which) {
    const Bytes archive = test::engine().build(which.architecture, 1);
    write_file_atomically(model_path(), archive);
    const TaskContract contract = contract_of(which);
    const auto model = test::engine().open(archive, contract);
    const std::span<const float> weights = model->weights();

    test::PublishedVersion version;
    version.manifest.task = "bench";
    version.manifest.version = 1;
    version.manifest.archive_hash = sha256(archive);
    version.manifest.archive_bytes = archive.size();
    version.manifest.weights_hash = sha256(as_bytes(weights));
    version.manifest.weights_count = weights.size();
    version.manifest.layout_hash = model->layout().hash();
    version.manifest.contract = contract;
    version.signed_manifest = sign(version.manifest, federation_.signing_key);
    version.archive = archive;
    version.weights.assign(weights.begin(), weights.end());
    const client::DeviceHome home = federation_.make_home(path(), {"127.0.0.1", 1});
    client::ModelStores stores(home.models_path(), home.settings().signing_key, client::Access::owner);
    test::adopt(*stores.find_or_make("bench"), version);
    key_ = home.serving_key();
  }

  std::filesystem::path path() const { return folder_ / "home"; }
  std::filesystem::path model_path() const { return folder_ / "model.pt"; }
  const std::string& key() const { return key_; }

 private:
  test::TemporaryFolder folder_;
  test::Federation federation_;
  std::string key_;
};

std::uint16_t port_in(const std::string& line) {
  return static_cast<std::uint16_t>(std::stoul(line.substr(line.find_last_of(": ") + 1)));
}

/// One example in binary, answered with the first output in binary.
std::string request_to(std::uint16_t port, const ServedHome& home, const Case& which) {
  Shape shape = which.architecture.input_shape;
  shape.insert(shape.begin(), 1);
  const Tensor input = test::normal_inputs(shape, 1);
  std::string shape_text = describe(shape);
  const std::string header = R"({"inputs":[{"name":"x","shape":)" + shape_text +
                             R"(,"datatype":"FP32","parameters":{"binary_data_size":)" +
                             std::to_string(input.data.size()) +
                             R"(}}],"outputs":[{"name":"output","parameters":{"binary_data":true}}]})";
  return bench::http_request(port, "/v2/models/bench/infer",
                             "Authorization: Bearer " + home.key() + "\r\nInference-Header-Content-Length: " +
                                 std::to_string(header.size()) + "\r\n",
                             header + std::string(as_text(input.data)));
}

/// libtorch alone: the seconds of one example, and examples a second in batches.
struct Bare {
  double one = 0;
  double batched = 0;
};

Bare bare_torch(const ServedHome& home, const Case& which, std::size_t threads) {
  std::vector<std::string> arguments{home.model_path().string(), std::to_string(which.batch),
                                     std::to_string(threads)};
  for (const std::int64_t size : which.architecture.input_shape) arguments.push_back(std::to_string(size));
  const std::string line = test::output_of(FL_BENCH_PEERS "/fl_bare_torch", arguments);
  Bare bare;
  if (std::sscanf(line.c_str(), "%lf %lf", &bare.one, &bare.batched) != 2)  // NOLINT(cert-err34-c)
    throw std::runtime_error("fl_bare_torch said: " + line);
  return bare;
}

/// The same request to FastAPI and PyTorch; nothing where they are not installed.
struct Peer {
  Served alone;
  Served many;
};
std::optional<Peer> python(const ServedHome& home, const Case& which) {
  const std::uint16_t port = 18'000 + static_cast<std::uint16_t>(::getpid() % 10'000);
  std::vector<std::string> arguments{FL_BENCH_SERVING_PEER, std::to_string(port), home.model_path().string()};
  Shape shape{1};
  for (const std::int64_t size : which.architecture.input_shape) {
    arguments.push_back(std::to_string(size));
    shape.push_back(size);
  }
  if (test::run(FL_BENCH_PYTHON, {"-c", "import fastapi, uvicorn, torch"}).exit_code != 0)
    return std::nullopt;
  Process process(FL_BENCH_PYTHON, arguments);
  const Tensor input = test::normal_inputs(shape, 1);
  const std::string request = bench::http_request(port, "/predict", "", std::string(as_text(input.data)));
  for (int tries = 0;; ++tries) {
    try {
      bench::answer_to(port, request);
      break;
    } catch (const std::runtime_error&) {
      if (tries == 200) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  const Peer peer{bench::closed_loop(port, request, 1, load_time),
                  bench::closed_loop(port, request, 64, load_time)};
  process.kill();
  return peer;
}

/// Half of the times that the SDK's predict() takes for one example are shorter.
double in_process(const ServedHome& home, const Case& which) {
  Device device = Device::open(home.path(), {.guest = true});
  Shape shape = which.architecture.input_shape;
  shape.insert(shape.begin(), 1);
  const Tensor input = test::normal_inputs(shape, 1);
  std::vector<double> times;
  const Stopwatch watch;
  while (watch.passed() < Seconds(1.2)) {
    const Stopwatch one;
    benchmark::DoNotOptimize(device.predict("bench", input.floats()));
    if (watch.passed() > Seconds(0.2)) times.push_back(one.passed().count());
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

/// Predictions of a device's endpoint, a process of its own on loopback, beside libtorch and Beast alone, and
/// a Python service.
void measure(benchmark::State& state, const Case& which) {
  const ServedHome home(which);
  auto& figures = state.counters;
  const auto set = [&](const std::string& figure, double value) {
    figures[which.name + "_" + figure] += value;
  };
  const Bare one_core = bare_torch(home, which, 1);
  const Bare all_cores = bare_torch(home, which, cores);
  set("torch_us", one_core.one * 1e6);
  set("torch_batched_a_second", all_cores.batched);
  set("in_process_overhead_us", (in_process(home, which) - one_core.one) * 1e6);

  Process endpoint("fl-client", {"serve", home.path().string(), "--listen", "127.0.0.1:0", "--executors",
                                 std::to_string(cores)});
  const std::uint16_t port = port_in(endpoint.wait_for_line("listening on http://127.0.0.1:"));
  const std::string request = request_to(port, home, which);
  const std::string answer = bench::answer_to(port, request);
  Served echo_alone;
  Served echo_many;
  for (const std::size_t threads : {std::size_t{1}, cores}) {
    Process echo(FL_BENCH_PEERS "/fl_beast_echo", {std::to_string(threads), std::to_string(answer.size())});
    const std::uint16_t echo_port = port_in(echo.wait_for_line("listening on "));
    if (threads == 1) echo_alone = bench::closed_loop(echo_port, request, 1, load_time);
    if (threads == cores) echo_many = bench::closed_loop(echo_port, request, 64, load_time);
    echo.kill();
  }
  const Served alone = bench::closed_loop(port, request, 1, load_time);
  const Served many = bench::closed_loop(port, request, 64, load_time);
  set("http_p50_us", alone.p50 * 1e6);
  set("http_p99_us", alone.p99 * 1e6);
  set("echo_p50_us", echo_alone.p50 * 1e6);
  set("ratio_to_echo", (alone.p50 - one_core.one) / echo_alone.p50);
  set("a_second_64", many.a_second);
  set("echo_a_second_64", echo_many.a_second);
  set("p50_64_us", many.p50 * 1e6);
  set("p99_64_us", many.p99 * 1e6);
  set("ratio_to_batched", many.a_second / all_cores.batched);
  set("ratio_to_ceiling", many.a_second * (1 / all_cores.batched + 1 / echo_many.a_second));
  for (const int percent : {50, 80}) {
    const Served random = bench::open_loop(port, request, many.a_second * percent / 100, load_time);
    set("poisson_" + std::to_string(percent) + "_p50_us", random.p50 * 1e6);
    set("poisson_" + std::to_string(percent) + "_p99_us", random.p99 * 1e6);
  }
  endpoint.kill();
  if (const auto peer = python(home, which)) {
    set("python_p50_us", peer->alone.p50 * 1e6);
    set("python_a_second_64", peer->many.a_second);
    set("python_p99_64_us", peer->many.p99 * 1e6);
    set("python_throughput_ratio", many.a_second / peer->many.a_second);
    set("python_p99_ratio", many.p99 / peer->many.p99);
  }
}

void serve(benchmark::State& state) {
  const std::array<Case, 2> cases{
      {{"cnn1d", {"cnn1d", {6, 50}, 6, {}, 0}, 64}, {"mlp", {"mlp", {196}, 10, {3080, 3080}, 0}, 64}}};
  for ([[maybe_unused]] auto step : state) {
    for (const Case& each : cases) measure(state, each);
  }
}

}  // namespace

BENCHMARK(serve)->Iterations(1)->Repetitions(3)->Unit(benchmark::kSecond);
