#pragma once

#include <boost/json/object.hpp>

#include "common/model/contract.h"
#include "common/model/json_reader.h"

namespace fl {

/// A contract as a part of a larger document. Private to common/model.
boost::json::object json_of(const TaskContract& contract);
TaskContract read_task_contract(json::ObjectReader object);

}  // namespace fl
