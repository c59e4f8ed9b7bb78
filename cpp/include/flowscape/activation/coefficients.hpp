// Coefficients of the approximations, minimax in the stated error. They were made by
// cpp/tools/fit_coefficients.py (Remez exchange and reweighted rational least squares at 50
// digits) and rounded to double; the bound is the error before rounding.
#pragma once

namespace flowscape::elementary {

/// 1.5·2^52: adding it rounds |x| < 2^51 to an integer, which stands in the low bits of the sum.
inline constexpr double kToInteger = 0x1.8p52;

/// (exp(r) - 1 - r) / r² on |r| <= ln(2)/2; relative error of exp(r) - 1: 2^-55.6.
inline constexpr double kExpm1[] = {
    0x1.0000000000005p-1,  0x1.5555555555539p-3,  0x1.55555555522b7p-5,  0x1.1111111118f9fp-7,
    0x1.6c16c17edbcaap-10, 0x1.a01a0175199dep-13, 0x1.a019a76ef42a7p-16, 0x1.71de87faa23a9p-19,
    0x1.28a1e04303473p-22, 0x1.ae6bbcfd10b21p-26};

/// (tanh(t) - t) / t³ in t² for |t| <= 0.2556; relative error of tanh 2^-57.2.
inline constexpr double kTanh[] = {-0x1.55555555554d4p-2, 0x1.11111110f8422p-3,
                                   -0x1.ba1ba186be49fp-5, 0x1.664f2f4547e03p-6,
                                   -0x1.22678fc96ed90p-7, 0x1.d4e54153e37acp-9,
                                   -0x1.58003a0e9c39ap-10};

/// (log((1 + s)/(1 - s)) - 2 s) / s³ in s² for 0 <= s <= 3 - 2 sqrt(2); relative 2^-59.5.
inline constexpr double kLog[] = {
    0x1.5555555555592p-1, 0x1.999999997fe6ap-2, 0x1.24924941e8cadp-2, 0x1.c71c520eba136p-3,
    0x1.74663e198fad6p-3, 0x1.39a1c87e762bdp-3, 0x1.2f05197ac485ap-3};

/// Numbers of 24 bits near 1/(1 + j/15), j = 0 ... 15, chosen so that -log of them is within
/// 2^-64 of a double. Their distance to 1 is exact.
alignas(64) inline constexpr double kLogScale[16] = {
    0x1p+0, 0x1.e0036p-1, 0x1.c3c134p-1, 0x1.aab0bap-1, 0x1.94366cp-1, 0x1.7ff86ep-1,
    0x1.6dc1d4p-1, 0x1.5d16e4p-1, 0x1.4de1e4p-1, 0x1.3ff684p-1, 0x1.3328dep-1, 0x1.27673ap-1,
    0x1.1c6f9ep-1, 0x1.124684p-1, 0x1.08d4p-1, 0x1.ffee6p-2};
alignas(64) inline constexpr double kMinusLogScale[16] = {
    0x0p+0, 0x1.083cbea70239ap-4, 0x1.0061258271cap-3, 0x1.7547eaecc3d36p-3, 0x1.e41d20fc2173dp-3,
    0x1.26aa51463f849p-2, 0x1.586d760725752p-2, 0x1.88303de755f69p-2, 0x1.b5cbf4243a64fp-2,
    0x1.e166fbaf32387p-2, 0x1.059c289ce266ep-1, 0x1.19976a135bfdfp-1, 0x1.2cf6434af0b79p-1,
    0x1.3f960ecfbb438p-1, 0x1.5188605bedc8cp-1, 0x1.62f5d03d4e674p-1};

/// (log(1 + r) - r) / r² for the r = c (1 + e) - 1 that come with them, -0.0313 < r < 0.0334;
/// error relative to r: 2^-55.8.
inline constexpr double kLog1p[] = {
    -0x1.fffffffffffcp-2, 0x1.5555555555d6ap-2, -0x1.00000000d69f7p-2, 0x1.9999997f8a4e3p-3,
    -0x1.55553df1019b5p-3, 0x1.249301b6f2175p-3, -0x1.0077fbc4447b1p-3, 0x1.c4636985135f9p-4};

/// (atan(t) - t) / t³ in t² for 0 <= t <= tan(pi/8); relative error of atan 2^-59.5.
inline constexpr double kArctan[] = {
    -0x1.555555555553dp-2, 0x1.99999999958ebp-3,  -0x1.24924922b11eap-3, 0x1.c71c70e7a1486p-4,
    -0x1.745cf90afa013p-4, 0x1.3b111c6219852p-4,  -0x1.10ebdd811f3d3p-4, 0x1.df1165c2aca45p-5,
    -0x1.9cdc1ebb4b177p-5, 0x1.37ed2ae4d5d4fp-5,  -0x1.259d18fa8b85bp-6};

/// (sin(r) - r) / r³ in r² for |r| <= pi/4; relative error of sin 2^-58.0.
inline constexpr double kSine[] = {-0x1.5555555555549p-3,  0x1.111111110f87ap-7,
                                   -0x1.a01a019c11575p-13, 0x1.71de3577454ebp-19,
                                   -0x1.ae5e65bbb017bp-26, 0x1.5d92d2c1e04c5p-33};

/// (cos(r) - 1 + r²/2) / r⁴ in r² for |r| <= pi/4; absolute error of cos 2^-64.2.
inline constexpr double kCosine[] = {0x1.555555555554cp-5,  -0x1.6c16c16c15175p-10,
                                     0x1.a01a019cb0d60p-16, -0x1.27e4f8093cb28p-22,
                                     0x1.1ee9eb6740c23p-29, -0x1.8fae559da2b6dp-37};

/// (sinh(t) - t) / t³ in t² for 0 <= t <= 1; error relative to t: 2^-63.2.
inline constexpr double kSinh[] = {
    0x1.5555555555556p-3, 0x1.11111111110a1p-7, 0x1.a01a01a0291ccp-13, 0x1.71de3a45f8d0ap-19,
    0x1.ae646765b6267p-26, 0x1.611a3a45e5a99p-33, 0x1.b4cf792ad1f75p-41};

/// erf(y) / y - 1 in y² for 0 <= y <= 1; relative error of erf 2^-62.7.
inline constexpr double kErf[] = {
    0x1.06eba8214db69p-3,  -0x1.812746b0379e6p-2, 0x1.ce2f21a042b21p-4,  -0x1.b82ce3128499fp-6,
    0x1.565bcd0db029ep-8,  -0x1.c02db3d8eab83p-11, 0x1.f9a321a0adb07p-14, -0x1.f4d1df2e26b1fp-17,
    0x1.b9def0f02e6eap-20, -0x1.5f1d3019824cdp-23, 0x1.f7a3c1e090e69p-27, -0x1.3869b095f605ap-30,
    0x1.0576901cfe18dp-34};

/// sqrt(pi/2). F(y) = Phi(-y) exp(y²/2) (1 + kTailSlope y) is 1/2 for y = 0 and for y -> inf, and
/// at most 0.6 between.
inline constexpr double kTailSlope = 0x1.40d931ff62706p+0;

/// F(y) - 1/2 = y numerator / denominator on 0 <= y <= 39; error relative to F: 2^-60.7. All
/// coefficients are positive, so neither sum cancels.
inline constexpr double kTailNumerator[] = {
    0x1.d25c218302f79p-3, 0x1.3facc8c627dd8p-2, 0x1.b3e2f0a785817p-3, 0x1.7bbf7bb82113fp-4,
    0x1.cd5fc426f5e0cp-6, 0x1.939353cdfb434p-8, 0x1.fc13dcba669afp-11, 0x1.bd36a4f19d8d6p-14,
    0x1.f06d090b23ad7p-18, 0x1.104f0b51b5812p-22, 0x1.9a691e60894edp-65};
inline constexpr double kTailDenominator[] = {
    0x1p+0, 0x1.3c01ae09b5866p+1, 0x1.6d319d6631fafp+1, 0x1.05537eca116fbp+1,
    0x1.01f2aaa004ec5p+0, 0x1.71d9f300c3025p-2, 0x1.8a672f9a2e5a5p-4, 0x1.3a29f3a51b003p-6,
    0x1.7068218dba49ap-9, 0x1.3113faeb6300cp-12, 0x1.4474ab27dcf59p-16, 0x1.5549d655bef91p-21};

}  // namespace flowscape::elementary
