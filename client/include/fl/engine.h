#pragma once

/// For devices that bring their own trainer: implement fl::Engine and fl::Model, and hand the engine over in
/// fl::Device::Options.
#include "common/engine/engine.h"
