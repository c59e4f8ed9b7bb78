// Loss, gradient, Hessian of one block of networks, with the workspace they need.
//
// Evaluator<NetworkLanes> works on kLanes networks at once, Evaluator<SampleLanes> on one. Both
// read and write [parameter][network] arrays aligned to 64 bytes, so an integrator written over
// Vec<networks> runs on either. A wide network is one network, too: Evaluator<SampleLanes> hands
// its derivatives to a NeuronKernel where the problem asks for that kernel.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "flowscape/objective/kernels-inl.hpp"
#include "flowscape/objective/layouts.hpp"
#include "flowscape/objective/moments.hpp"
#include "flowscape/objective/neuron_lanes.hpp"
#include "flowscape/objective/pair_products.hpp"
#include "flowscape/objective/problem_data.hpp"
#include "flowscape/objective/small_networks.hpp"
#include "flowscape/simd/aligned.hpp"
#include "flowscape/simd/vector.hpp"

namespace flowscape {

/// Bounds on the rounding error of computed quantities, per network (docs/conventions.md).
template <int W>
struct Noise {
  Vec<W> zero_loss;  ///< loss of a residual that is rounding error alone
  Vec<W> loss;       ///< error of the computed loss
  Vec<W> gradient;   ///< error of the computed gradient, infinity norm
  Vec<W> hessian;    ///< error of the computed Hessian, spectral norm
};

template <class Layout>
class Evaluator {
 public:
  static constexpr int networks = Layout::networks;
  using V = Vec<networks>;

  /// Keeps a reference to `problem`; allocates all that the calls below need up to order 1.
  explicit Evaluator(const ProblemData& problem);

  /// Allocates what evaluate() needs up to `order`; at order 2 that grows as the square of P.
  void prepare(int order);

  /// Room for theta, loss, gradient and, once prepared for it, Hessian of a block: the caller's.
  double* rows() noexcept { return rows_.data(); }

  const ProblemData& problem() const noexcept { return problem_; }
  std::int64_t parameters() const noexcept { return problem_.shape.parameters(); }

  /// Derivatives up to `order` (0, 1, 2); outputs of higher order are not touched.
  ///
  /// theta [P][networks] in; loss [networks], gradient [P][networks], hessian [tri(P)][networks]
  /// (lower triangle, packed by rows) out. The value of each is the same whatever the order asked.
  /// A non-finite network spoils its own lane only. Needs prepare(order).
  void evaluate(int order, const double* theta, double* loss, double* gradient,
                double* hessian) noexcept;

  /// The same with the whole Hessian [P][P], past the caches if so wanted; for lane = neuron,
  /// where threads share a large network.
  void evaluate_whole(int order, const double* theta, double* loss, double* gradient,
                      double* hessian, bool past_caches, int n_threads) noexcept
    requires(networks == 1);

  /// H v without forming H; direction, product [P][networks].
  void hessian_vector(const double* theta, const double* direction, double* product) noexcept;

  Noise<networks> noise(const double* theta) noexcept;

  /// Unweighted residual [N][K] and, unless null, its Jacobian [N][K][P], of one network.
  void residual(const double* theta, double* values, double* jacobian) noexcept
    requires(networks == 1);

  /// Arguments of terms with a kink at 0, for `first_crossing`; those of smooth terms count as 0.
  std::int64_t pattern_size() const noexcept;
  void pattern(const double* theta, double* arguments) noexcept;
  /// The fraction of the way from one pattern to another at which the first argument leaves its
  /// side, if all change in proportion; infinity for networks without such an argument.
  Vec<networks> first_crossing(const double* from, const double* to) const noexcept;
  /// Networks for which an argument leaves its side from `from` to `to` and turns back from `to` to
  /// `beyond`, by more than the part `least` of itself.
  Mask<networks> turns_back(const double* from, const double* to, const double* beyond,
                            Vec<networks> least) const noexcept;

 private:
  void forward(int order, const double* theta, std::int64_t first, std::int64_t steps) noexcept;
  void assemble(int order, const double* theta, double* loss, double* gradient,
                double* hessian) noexcept;
  void assemble_hessian(const double* theta, double* hessian) noexcept;
  /// l2/2 |theta|^2 and its derivatives.
  void add_decay(int order, const double* theta, double* loss, double* gradient,
                 double* hessian) const noexcept;
  /// |h|, |s|, |q| summed over the separate terms, and the effect of rounding their arguments.
  void absolute_terms(std::int64_t steps) noexcept;
  /// Factors of the pair products of a block; lane = network has one block.
  PairFactors pair_factors(std::int64_t first) const noexcept;
  void reduce(const double* sums, std::int64_t count, double* out) const noexcept;
  template <class Body>
  void for_blocks(Body&& body) noexcept;

  const ProblemData& problem_;
  MomentLayout layout_;
  AlignedBuffer storage_, moments_, reduced_, absolute_, rows_;
  AlignedBuffer factors_;              ///< of lane = network: features and products, broadcast
  std::vector<std::int32_t> places_;   ///< of the pair moments among their sums
  SmallKernel small_[3] = {};          ///< by order; null if the network is not small
  std::vector<Term> separate_;
  std::vector<Activation> parts_;  ///< one for each separate term
  BlockScratch scratch_{};
  std::optional<NeuronKernel> wide_;  ///< lane = neuron
};

extern template class Evaluator<NetworkLanes>;
extern template class Evaluator<SampleLanes>;

}  // namespace flowscape
