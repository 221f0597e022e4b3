#include "common/data/motion_recorder.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace fl {
namespace {

using std::numbers::pi;

constexpr double rate = 20.0;  // samples a second
constexpr double gravity = 9.81;
constexpr std::int64_t first_timestamp = 1'700'000'000'000;
constexpr std::int64_t sample_milliseconds = 50;

// From 0 to 1 as t goes from 0 to 1, with no jerk at the ends.
double smooth(double t) {
  const double x = std::clamp(t, 0.0, 1.0);
  return x * x * x * (10 - 15 * x + 6 * x * x);
}

// Its second derivative.
double smooth_acceleration(double t) {
  return t <= 0.0 || t >= 1.0 ? 0.0 : 60 * t * (1 - t) * (1 - 2 * t);
}

}  // namespace

MotionRecorder::MotionRecorder(const MotionStyle& style, std::uint64_t seed)
    : style_(style), random_(seed), phase_(2 * pi * random_.uniform()) {
  style_.step_rate *= 1 + 0.05 * random_.normal();
  style_.bounce *= 1 + 0.1 * random_.normal();
  style_.turn_rate *= 1 + 0.1 * random_.normal();
}

void MotionRecorder::perform(Activity activity) {
  const double length = 0.8 + 0.4 * random_.uniform();
  switch (activity) {
    case Activity::seated:
      return sit(6 * length);
    case Activity::standing_up:
      return rise(1.3 * style_.rise_time);
    case Activity::walking:
      return walk(9 * length);
    case Activity::turning:
      return turn(6 * length);
    case Activity::sitting_down:
      return settle(1.3 * style_.rise_time);
  }
}

std::vector<MotionSample> MotionRecorder::samples() {
  std::vector<MotionSample> samples;
  samples.reserve(moments_.size());
  for (std::size_t i = 0; i < moments_.size(); ++i) samples.push_back(read(i));
  return samples;
}

std::size_t MotionRecorder::count_of(double seconds) {
  return static_cast<std::size_t>(std::lround(seconds * rate));
}

void MotionRecorder::sit(double seconds) {
  const double sway = 2 * pi * (0.2 + 0.3 * random_.uniform());
  for (std::size_t i = 0; i < count_of(seconds); ++i) {
    Moment moment;
    moment.pitch = style_.seat_angle + style_.restlessness * std::sin(sway * static_cast<double>(i) / rate);
    moments_.push_back(moment);
  }
}

void MotionRecorder::rise(double seconds) {
  change_height(seconds, style_.seat_angle, 0.0, Activity::standing_up);
}

void MotionRecorder::settle(double seconds) {
  change_height(seconds, 0.0, style_.seat_angle, Activity::sitting_down);
}

void MotionRecorder::change_height(double seconds, double from, double to, Activity activity) {
  constexpr double thigh_length = 0.45;
  const double begin = (seconds - style_.rise_time) * (0.3 + 0.4 * random_.uniform());
  const double direction = from > to ? 1.0 : -1.0;
  for (std::size_t i = 0; i < count_of(seconds); ++i) {
    const double t = (static_cast<double>(i) / rate - begin) / style_.rise_time;
    const double push = thigh_length * smooth_acceleration(t) / (style_.rise_time * style_.rise_time);
    Moment moment;
    moment.pitch = from + (to - from) * smooth(t);
    moment.acceleration = {0.5 * push, 0.0, direction * push};
    moment.activity = activity;
    moments_.push_back(moment);
  }
}

void MotionRecorder::step(Moment& moment, double vigour) {
  phase_ += pi * style_.step_rate / rate * (1 + 0.05 * random_.normal());
  const double side = 1 + style_.asymmetry * std::sin(phase_);
  const double strike = std::cos(2 * phase_) + 0.4 * std::cos(4 * phase_ + style_.step_shape);
  moment.pitch = vigour * style_.swing * std::sin(phase_);
  moment.yaw_rate = 0.3 * vigour * std::cos(phase_);
  moment.acceleration = {vigour * 0.5 * style_.bounce * side * std::sin(2 * phase_),
                         vigour * 0.3 * style_.bounce * std::sin(phase_),
                         vigour * style_.bounce * side * strike};
}

void MotionRecorder::walk(double seconds) {
  for (std::size_t i = 0; i < count_of(seconds); ++i) {
    Moment moment;
    step(moment, 1.0);
    moment.activity = Activity::walking;
    moments_.push_back(moment);
  }
}

void MotionRecorder::turn(double seconds) {
  const double direction = random_.uniform() < 0.5 ? -1.0 : 1.0;
  const std::size_t count = count_of(seconds);
  for (std::size_t i = 0; i < count; ++i) {
    const double t = static_cast<double>(i) / static_cast<double>(count);
    Moment moment;
    step(moment, 0.7);
    moment.yaw_rate += direction * style_.turn_rate * smooth(4 * t) * smooth(4 * (1 - t));
    moment.activity = Activity::turning;
    moments_.push_back(moment);
  }
}

MotionSample MotionRecorder::read(std::size_t index) {
  const Moment& moment = moments_[index];
  const Moment& before = moments_[index == 0 ? 0 : index - 1];
  const Rotation thigh = rotation_around({0.0, moment.pitch, 0.0});
  const Vector3& moved = moment.acceleration;
  const double pitch_rate = (moment.pitch - before.pitch) * rate;
  MotionSample sample;
  sample.acceleration = rotate(style_.mount, rotate(thigh, {moved[0], moved[1], moved[2] + gravity}));
  sample.rotation = rotate(thigh, {0.0, 0.0, moment.yaw_rate});
  sample.rotation[1] += pitch_rate;
  sample.rotation = rotate(style_.mount, sample.rotation);
  for (std::size_t axis = 0; axis < 3; ++axis) {
    sample.acceleration[axis] += style_.accelerometer_noise * random_.normal();
    sample.rotation[axis] += style_.gyroscope_bias[axis] + style_.gyroscope_noise * random_.normal();
  }
  sample.timestamp = first_timestamp + static_cast<std::int64_t>(index) * sample_milliseconds;
  sample.activity = moment.activity;
  return sample;
}

}  // namespace fl
