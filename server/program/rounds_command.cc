#include <iostream>

#include <boost/json.hpp>

#include "server/program/asking.h"
#include "server/program/commands.h"
#include "server/program/following.h"

namespace fl::server {
namespace {

using program::Arguments;

program::TextTable empty_table() {
  return program::TextTable({{"round", 0, 5},
                             {"state", 0, 9},
                             {"version", 0, 7},
                             {"selected", 0, 8},
                             {"accepted", 0, 8},
                             {"refused", 0, 7},
                             {"declined", 0, 8},
                             {"late", 0, 4},
                             {"dropped", 0, 7},
                             {"surplus", 0, 7},
                             {"examples", 0, 9},
                             {.name = "bytes", .width = 8, .bytes = true},
                             {"train_loss", 4, 10},
                             {"accuracy", 4, 8},
                             {"seconds", 1, 7},
                             {"reason"}});
}

bool is_open(const boost::json::object& round) {
  return round.at("state").as_string() == "open";
}

program::Cell seconds_of(const boost::json::object& round) {
  if (is_open(round)) return std::monostate{};
  return (round.at("closed").to_number<double>() - round.at("opened").to_number<double>()) / 1000.0;
}

/// Why it was abandoned, and why updates were refused or declined: "2 not_finite".
program::Cell reason_of(const boost::json::object& round) {
  std::string text = round.at("reason").as_string().c_str();
  for (const auto& [reason, count] : round.at("refusals").as_object()) {
    text += (text.empty() ? "" : ", ") + std::to_string(count.to_number<std::int64_t>()) + " " +
            std::string(reason.data(), reason.size());
  }
  return text;
}

std::vector<program::Cell> cells_of(const boost::json::object& round) {
  const bool made_one = round.at("version").to_number<std::int64_t>() != 0;
  return {cell_of(round.at("round")),
          cell_of(round.at("state")),
          made_one ? cell_of(round.at("version")) : program::Cell(),
          cell_of(round.at("selected")),
          cell_of(round.at("accepted")),
          cell_of(round.at("refused")),
          cell_of(round.at("declined")),
          cell_of(round.at("late")),
          cell_of(round.at("dropped")),
          cell_of(round.at("surplus")),
          cell_of(round.at("examples")),
          cell_of(round.at("update_bytes")),
          cell_of(round.at("train_loss")),
          cell_of(round.at("test_accuracy")),
          seconds_of(round),
          reason_of(round)};
}

void follow(const ServerHome& home, const Arguments& arguments, const Following& following) {
  const program::TextTable table = empty_table();
  const bool as_json = arguments.has("json");
  std::uint64_t after = 0;
  if (!as_json) std::cout << table.heading() << std::flush;
  look_and_follow(following, [&] {
    for (const boost::json::object& round : ask_rounds(home, arguments.text("TASK"), after)) {
      if (is_open(round)) break;
      const std::vector<program::Cell> cells = cells_of(round);
      std::cout << (as_json ? table.row_json(cells) : table.row_text(cells)) << std::flush;
      after = round.at("round").to_number<std::uint64_t>();
      if (following.until_round != 0 && after >= following.until_round) return false;
    }
    return true;
  });
}

int run(const Arguments& arguments) {
  const Following following = following_of(arguments);
  const ServerHome home = ServerHome::open(arguments.path("DIR"));
  if (following.follow) {
    follow(home, arguments, following);
    return program::exit_ok;
  }
  program::TextTable table = empty_table();
  for (const boost::json::object& round : ask_rounds(home, arguments.text("TASK"), 0))
    table.add(cells_of(round));
  std::cout << (arguments.has("json") ? table.json() : table.text());
  return program::exit_ok;
}

}  // namespace

program::Command rounds_command() {
  program::Options options;
  options.argument("DIR", "the server's home").argument("TASK", "the task's name");
  add_following(options).json();
  return {"rounds",
          "lists a task's rounds: devices, refusals, bytes, losses",
          "fl-server rounds ~/fl-server har\n"
          "fl-server rounds ~/fl-server har --follow --until-round 20",
          options,
          run,
          "What became of the devices that were selected: accepted, refused and declined say so themselves;\n"
          "late ones were at work at the deadline, dropped ones not connected any more, and surplus ones at\n"
          "work when enough updates of others had come.\n"
          "bytes are the updates' as encoded; what compression saves is in fl_transfer_bytes_total.\n"
          "The accuracy is that of the version a round began from, as the round's devices measured it on\n"
          "examples they hold back."};
}

}  // namespace fl::server
