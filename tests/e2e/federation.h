#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <boost/json/value.hpp>

#include "tests/e2e/process.h"
#include "tests/support/temporary_folder.h"

namespace fl::test {

/// A server's home, devices' homes and the programs that run in them, in a folder of their own, on a free
/// port of loopback. The task is "motion": recognising activities, on generated people, unless the settings
/// describe another.
class Federation {
 public:
  struct Settings {
    std::uint32_t devices = 2;
    std::uint32_t goal = 0;     ///< Updates of a round; 0: one of every device.
    std::uint32_t minimum = 0;  ///< 0: the goal.
    std::uint32_t rounds = 3;
    std::uint32_t recordings = 2;  ///< Of each person, about 40 windows each.
    std::string model = "architecture = linear\n";
    std::string more;    ///< Further lines of the task's file, in its section [round] at first.
    std::string people;  ///< A data set in place of generated people.
    std::string data;    ///< The task's labels and section [data], in place of people and their motion.
    std::filesystem::path server_home;  ///< In place of a folder of its own.
  };

  explicit Federation(const Settings& settings);

  std::filesystem::path server_home() const;
  std::filesystem::path device_home(std::uint32_t device) const;
  /// The files of person `person`; two from settings.devices on are nobody's device and do everything.
  std::vector<std::string> files_of(std::uint32_t person) const;
  std::filesystem::path folder() const { return folder_.path(); }
  std::uint16_t port() const { return port_; }
  std::string token() const;

  /// Starts the server and waits until it listens.
  void start_server();
  Process& server() { return *server_; }
  /// SIGTERM; returns how it ended.
  Ended stop_server();
  void kill_server();

  /// Makes a device's home with a new token, and imports its person's files. The server runs.
  void enrol(std::uint32_t device);
  /// The same with these files; with none the device has no examples.
  void enrol_with(std::uint32_t device, const std::vector<std::string>& files);
  void start_device(std::uint32_t device);
  /// Starts a device and stops it once it has asked for work, the first of a round to do so: it will be in
  /// the round's cohort and send nothing before it is let go.
  void hold_back(std::uint32_t device);
  void let_go(std::uint32_t device);
  Process& device(std::uint32_t device) { return *devices_.at(device); }
  void kill_device(std::uint32_t device);
  /// Enrols and starts all of them.
  void start_devices();

  /// Waits until the running server commits this version.
  void wait_for_version(std::uint64_t version, Process::Seconds limit = Process::Seconds(120));

  /// The records of 'fl-server rounds', oldest first.
  boost::json::array rounds() const;

  /// The share of right predictions of a device's own program on these people's files.
  double accuracy_of(std::uint32_t device, const std::vector<std::uint32_t>& people) const;

 private:
  void make_server() const;
  /// What 'fl-server status' says of the round.
  std::string round_state() const;

  TemporaryFolder folder_;
  Settings settings_;
  std::filesystem::path people_;
  std::uint16_t port_;
  std::unique_ptr<Process> server_;
  std::vector<std::unique_ptr<Process>> devices_;
};

/// What a program that must succeed prints with --json.
boost::json::value json_of(const std::string& program, std::vector<std::string> arguments);

}  // namespace fl::test
