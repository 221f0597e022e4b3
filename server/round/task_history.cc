#include "server/round/task_history.h"

namespace fl::server {

void TaskHistory::round_committed() {
  ++committed_;
}

}  // namespace fl::server
