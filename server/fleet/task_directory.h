#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/fleet/task_runner.h"

namespace fl::server {

/// The tasks that run, by name. One thread.
class TaskDirectory {
 public:
  void add(const std::string& name, std::shared_ptr<TaskRunner> runner) {
    runners_[name] = std::move(runner);
  }

  /// Null where there is no such task.
  std::shared_ptr<TaskRunner> find(std::string_view name) const {
    const auto found = runners_.find(name);
    return found == runners_.end() ? nullptr : found->second;
  }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& [name, runner] : runners_) names.push_back(name);
    return names;
  }

  void stop() {
    for (const auto& [name, runner] : runners_) runner->stop();
  }

 private:
  std::map<std::string, std::shared_ptr<TaskRunner>, std::less<>> runners_;
};

}  // namespace fl::server
