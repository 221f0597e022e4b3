#pragma once

#include <string>

#include "common/serving/served_version.h"

/// What the Open Inference Protocol v2 tells of a server and of its models, as JSON.
namespace fl::serving {

std::string server_metadata(const std::string& name, const std::string& version);
std::string model_metadata(const ServedVersion& version);
std::string model_ready(const std::string& model, bool ready);

}  // namespace fl::serving
