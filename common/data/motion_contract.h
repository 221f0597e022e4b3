#pragma once

#include "common/model/contract.h"

namespace fl {

/// Activity recognition from a phone in a trouser pocket: windows of 2.5 seconds of accelerometer (scaled to
/// multiples of gravity) and gyroscope, five activities. It fits the generated people of motion.h and the
/// data set "Inertial measurements for human activity recognition" (Matey-Sanz, Casteleyn, Granell 2023),
/// whose form they have.
TaskContract motion_contract();

}  // namespace fl
