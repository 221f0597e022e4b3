#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/random.h"
#include "common/data/motion.h"
#include "common/data/motion_style.h"

namespace fl {

/// Moves a person's thigh through activities and reads the phone in the pocket. Each recording differs a
/// little from the person's style, as days do. One thread at a time.
class MotionRecorder {
 public:
  MotionRecorder(const MotionStyle& style, std::uint64_t seed);

  /// Goes on with `activity` where the one before it ended.
  void perform(Activity activity);

  /// What the phone recorded so far.
  std::vector<MotionSample> samples();

 private:
  /// The thigh at one moment.
  struct Moment {
    double pitch = 0.0;  // 0 standing, seat_angle seated
    double yaw_rate = 0.0;
    Vector3 acceleration{};  // without gravity: forward, left, up
    Activity activity = Activity::seated;
  };

  void sit(double seconds);
  void rise(double seconds);
  void settle(double seconds);
  void walk(double seconds);
  void turn(double seconds);
  void step(Moment& moment, double vigour);
  void change_height(double seconds, double from, double to, Activity activity);
  std::size_t count_of(double seconds);
  MotionSample read(std::size_t index);

  MotionStyle style_;
  Random random_;
  double phase_;  // of the stride: two steps
  std::vector<Moment> moments_;
};

}  // namespace fl
