#include <iostream>

#include "client/program/commands.h"
#include "common/data/motion.h"

namespace fl::client {
namespace {

using program::Arguments;
using program::Command;
using program::exit_ok;
using program::Options;

constexpr std::int64_t most_people = 10'000;
constexpr std::int64_t most_recordings = 1'000;

int demo_data(const Arguments& arguments) {
  const std::filesystem::path folder = arguments.path("FOLDER");
  MotionPeople people;
  people.seed = static_cast<std::uint64_t>(arguments.integer("seed"));
  people.recordings = static_cast<std::uint64_t>(arguments.integer("recordings", 1, most_recordings));
  people.count = static_cast<std::uint64_t>(arguments.integer("people", 0, most_people));
  write_motion_people(folder, people);

  MotionPeople testers = people;
  testers.first = people.count;
  testers.count = static_cast<std::uint64_t>(arguments.integer("testers", 0, most_people));
  testers.routine = Routine::complete;
  write_motion_people(folder, testers);

  std::cout << "wrote " << people.recordings << " recordings of each of " << people.count + testers.count
            << " people to " << (folder / "DATA").string() << "\n";
  return exit_ok;
}

}  // namespace

Command demo_data_command() {
  Options options;
  options.argument("FOLDER", "where to write; files that are there are replaced")
      .value("people", "N", "people who do what they happen to do, to train on", "6")
      .value("testers", "N", "further people who do every activity, to test on", "0")
      .value("recordings", "N", "files of each person", "6")
      .value("seed", "N", "other seeds make other people", "1");
  return {"demo-data", "write made-up people's motion recordings, for trying things out",
          "fl-client demo-data /tmp/people --people 6 --testers 3", options, demo_data};
}

}  // namespace fl::client
