// What answers mean: for each right answer what says the same and what does not. Judged by hand.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "grpo/math/verify.h"

namespace grpo {
namespace {

struct Verdicts {
  const char* gold;
  std::vector<const char*> equal, different;
};

const std::vector<Verdicts>& table() {
  // clang-format off
  static const std::vector<Verdicts> rows = {
    {"5", {"5", "5.", "5.0", "+5", "05", "$5$", R"(\boxed{5})", "10/2", "5 apples", "5 cm", R"(5\text{ cm})", "x=5", "n = 5",
         "5 students", "**5**", "`5`", R"("5")", R"(\(5\))", "5,", "5;", R"(\text{5})", R"(\mathbf{5})", R"(5\,\text{cm}^2)",
         "5 square units", "5 units", "5^1", R"(\frac{10}{2})", R"(\frac{15}{3})", R"(\sqrt{25})", "|{-5}|", "|-5|", "5 dollars",
         R"(\$5)", "2+3", "x = 2+3 = 5", "5 cents", "5 red apples", "{5}", "(5)", "５", "5th", "5 miles per hour",
         R"(\lfloor 5.5 \rfloor)", "f(2)=5", "AB = 5", R"(\text{Area} = 5)", "P = 5", R"(\log_2 32)", R"(\ln e^5)",
         R"(5\text{ units}^2)", R"(5 \text{ square units})", R"(5\ )", R"(5 \quad)", R"(\displaystyle 5)", "5 USD"},
     {"5 factorial", "5 squared", "5 lakh", "5 sixteenths", "5 cubed", "5 doubled", "5 crores", "5 googol", "5 twelfths", "5 tens",
      "5 permille", "5 infinity", "5 dozen", "5 halves", "5 hundredths", "5 and a half", "5 point five", "5 million", "5 or 6", "5, 6",
      "5 percent", "5 pi", "5 mod 3", "5 i", "5 x", "5e", "5!", "5^2", R"(5\%)", "5 6", "5 + 1", "(5)(2)", "5 2", "5 half", "minus 5",
      "5 negative", "not 5", "5 not", "five 5", "5 score", "5 gross", "5 times 2", "5 over 2", "5 root", "5 more than 3", "5 less",
      "5 nths", "5‰", "5 trillion", "5k", "5 k", "5 hundred", "5 thirds", "5 in base 6", "5 to the power 2", "5 choose 2", "1,2,3,4,5",
      "1, 2, 3, 4, 5, ...", "1..10", "5 = 6", "x = 4 = 5", R"(5\cdot10^1)", "5.000000001", "5/2", "05/10", "5:3", R"(5 \text{ or } 6)",
      R"(\{5,6\})", "[5,6]", "5±1", R"(5 \pm 0.1)", R"(\sqrt{5})", "5^{0.5}", "5 quintillion", "5 tenths", "5 quarters", "5 negated",
      "5 inverted", "5 raised", "approximately 5", "about 5", R"(\approx 5)", R"(5 \approx)", ">5", "5<", "x>5", R"(\ge 5)", R"(x\ne5)",
      "5 wrong", "5 is wrong", "5 pairs", "5 couples", "5-fold", "5 fold", "fivefold 5", "5 decillion", R"(5\text{ million})",
      R"(5\text{ thousandths})", R"(5\text{ squared})", R"(5\text{ or }4)", R"(5 \approx 5.2)", R"(x \approx 5)", R"(5.2 \approx 5)",
      "5 in hexadecimal", "5 sine", "5 in binary", "5 in thousands", "5...", R"(5 \ldots)"}},
    {"1/2", {"0.5", ".5", R"(\frac{1}{2})", R"(\frac12)", R"(\frac 12)", "1 / 2", R"(50\%)", "50%", "2^{-1}", R"(\dfrac{1}{2})",
         R"(\tfrac12)", "½", "1÷2", R"(\frac{2}{4})", R"(\sin 30^\circ)", "\\sin(30°)", R"(\cos\frac{\pi}{3})", R"(-\frac{-1}{2})",
         R"(\frac{\sqrt{4}}{4})"},
     {"2", "0.50001", "1/3", "-1/2", "12", "1,2", R"(\frac{1}{2}x)", "1/2/1/2", "50", R"(0.5\%)", R"(\frac{2}{1})"}},
    {"x^2+2x+1", {"(x+1)^2", "1+2x+x^2", "x*x+2*x+1", "(1+x)(x+1)", "x**2 + 2*x + 1", "x^{2} + 2x + 1", "y = x^2+2x+1", "f(x)=(x+1)^2"},
     {"x^2+2x", "(x+1)^3", "(x-1)^2", "x^2+2y+1", "t^2+2t+1", "x2+2x+1"}},
    {R"(\frac{x+1}{x-1})", {"(x+1)/(x-1)", R"(\frac{-x-1}{1-x})", R"(1+\frac{2}{x-1})"}, {}},
    {R"(2\sqrt{3})", {R"(\sqrt{12})", R"(2\sqrt3)", R"(2 \cdot \sqrt{3})", R"(\sqrt 12)", "2√3", "2*3^{1/2}", R"(\frac{6}{\sqrt3})",
         "2sqrt(3)", "2 * sqrt(3)"},
     {"3.46", "3.4641016151377544", R"(2\sqrt{2})", R"(\sqrt{3})", "12"}},
    {R"((-\infty, 2) \cup (3, \infty))", {R"(x<2 \text{ or } x>3)", R"((-\infty,2)\cup(3,+\infty))", R"((3,\infty) \cup (-\infty, 2))",
         R"(\mathbb{R} \setminus [2,3])", "x < 2 or x > 3", "(-inf,2) U (3,inf)", R"(x \in (-\infty,2) \cup (3,\infty))",
         R"(\{x \mid x<2 \text{ or } x>3\})", R"(\{x : x < 2\} \cup \{x : x > 3\})", "x<2, x>3"},
     {R"((-\infty, 2] \cup (3, \infty))", "x<2 and x>3", "(2,3)", R"((-\infty,3)\cup(2,\infty))"}},
    {"[1,5)", {R"(1 \le x < 5)", R"(5 > x \ge 1)", "1<=x<5", "[1,5)", R"(x \in [1,5))", R"(\{x | 1 \leq x < 5\})",
         R"([1, 3] \cup (3, 5))", R"(x \ge 1 \text{ and } x < 5)"},
     {"(1,5)", "[1,5]", "1<x<5", "1,5", R"(\{1,5\})", "(1,5]"}},
    {R"(\{1,2,3\})", {"1,2,3", "3, 1, 2", R"(\{3,2,1\})", R"(\{1,1,2,3\})", "1, 2 and 3", "1, 2, and 3", R"(x \in \{1,2,3\})",
         "x=1,2,3", "x = 1, x = 2, x = 3", R"(x=1 \text{ or } x=2 \text{ or } x=3)", R"(\left\{1,2,3\right\})", "{1, 2, 3}"},
     {"1,2", "1,2,3,4", "1,2,2,3", "(1,2,3)", "6", "123"}},
    {R"(\pm 2)", {"2,-2", "-2, 2", R"(x = \pm 2)", R"(\{2,-2\})", "+2, -2", "2 or -2", "±2", R"(-2 \text{ and } 2)", R"(\mp 2)"},
     {"2", "-2", "2,2", "4"}},
    {R"(2 \pm \sqrt{3})", {R"(2+\sqrt{3}, 2-\sqrt{3})", R"(2-\sqrt3,2+\sqrt3)", R"(x = 2 \pm \sqrt 3)", R"(\frac{4 \pm 2\sqrt{3}}{2})"}, {}},
    {"(1,-2)", {"(1, -2)", "x=1, y=-2", "(x,y)=(1,-2)", R"(x = 1 \text{ and } y = -2)", "y=-2,x=1", R"(\left(1,-2\right))", "(1.0,-2)",
         "P = (1,-2)", "(2/2, -2)"},
     {"(-2,1)", "1,-2", "(1,2)", "x=-2,y=1", "(1,-2,0)", R"(\{1,-2\})", "[1,-2]"}},
    {"x=5", {"5", "x = 5", "5=x", "x=10/2"},
     {"y=5", "x=-5", "3x=15", "x+0=4", "2x-10=0", "x>5", "x=5, x=6"}},
    {"y=2x+3", {"2x+3", "y = 3+2x", "y-3=2x", "2x-y+3=0", "f(x)=2x+3", "y-2x=3"},
     {"y=2x", "y=3x+2", "x=2y+3"}},
    {"x^2+y^2=4", {"x^2+y^2-4=0", "4=y^2+x^2", R"(\frac{x^2}{4}+\frac{y^2}{4}=1)", "2x^2+2y^2=8"},
     {"x^2+y^2=2", "x^2-y^2=4", "x^2+y^2", "4"}},
    {"3+4i", {"4i+3", "3 + 4i", "(2+i)^2", "3+4*i", R"(5(\frac35+\frac45 i))"},
     {"3-4i", "7", "3+4j", "4+3i", "3,4", "5"}},
    {R"(\frac{\pi}{4})", {R"(\pi/4)", R"(0.25\pi)", R"(\arctan 1)", R"(\frac{1}{4}\pi)", "pi/4", R"(\tan^{-1}(1))", "π/4",
         R"(\frac{\pi}{4})"},
     {"0.785", "0.7853981633974483", R"(\frac{3.14}{4})", R"(\frac{\pi}{3})", "1/4"}},
    {R"(\begin{pmatrix}1\\2\end{pmatrix})", {R"(\begin{bmatrix}1\\2\end{bmatrix})", "(1,2)",
         R"(\begin{pmatrix} 1.0 \\ \frac{4}{2} \end{pmatrix})"},
     {R"(\begin{pmatrix}2\\1\end{pmatrix})", R"(\begin{pmatrix}1&2\end{pmatrix})", "1,2"}},
    {R"(\text{Evelyn})", {"Evelyn", "evelyn", R"(\mathrm{Evelyn})", R"(\textbf{Evelyn})", "Evelyn.", R"("Evelyn")"},
     {"Angela", "Eve", "Evelyn and Angela", "not Evelyn", "Evelynn"}},
    {R"(\text{(C)})", {"C", "(C)", "c", R"(\textbf{(C)})", "C.", "C)", "(C) 25", R"(\text{C})"},
     {"D", "(B)", "C or D", "(C) or (D)", "A, B, C", "ABC", "CC", "(A) (C)"}},
    {R"(\text{no solution})", {"no solution", "No Solution", R"(\text{No solution.})"}, {}},
    {"0", {"0.0", R"(0\%)", "-0", R"(\frac{0}{5})", R"(\sin 0)", R"(\ln 1)", "1-1", R"(\sin\pi)", "0 apples", R"(\cos\frac{\pi}{2})",
         R"(e^{i\pi}+1)"},
     {R"(\emptyset)", "", "o", "O", "zero", R"(\frac{0}{0})", "0/0", "null", "10^{-100}", "10^{-3000}", R"(\{\})", "0.000001",
      R"(1/\infty)", "none"}},
    {R"(\infty)", {"infinity", R"(+\infty)", "∞", "inf"},
     {R"(-\infty)", "10^{100}", "8"}},
    {R"(12\pi)", {"12π", R"(12 \pi)", "12*pi", R"(\pi \cdot 12)", R"(12 \pi \text{ cm}^3)"},
     {"37.7", "37.699111843", "12", R"(\pi^{12})", R"(12\pi^2)"}},
    {R"(10\%)", {"10%", "0.1", R"(\frac{1}{10})", "10 percent", R"(10 \%)"},
     {"10", "0.10%", "1"}},
    {R"(\$36)", {"36", "$36", "36 dollars", "36.00", R"(\$36.00)", "$36.00", R"(36\text{ dollars})", R"(36 \$)"},
     {"36 cents", "360", R"(\$3.6)", "36%"}},
    {"1,000", {"1000", "10^3", "1e3", "1{,}000", "1 thousand", R"(1\,000)", "1,000.00"},
     {"1", "1,00", "1.000", "(1,000)", "1, 0", "10000"}},
    {R"(3\frac{1}{2})", {"3.5", "7/2", R"(\frac72)", "3 1/2", R"(3\dfrac{1}{2})", "3½"},
     {"3/2", "1.5", "31/2", "3,1/2"}},
    {"2^{10}", {"1024", "2^10", "4^5", "2**10"},
     {"20", "1000", "2^1 0"}},
    {R"(\binom{5}{2})", {"10", R"({5 \choose 2})", R"(\frac{5!}{2!3!})", R"(\frac{5\cdot4}{2})", R"(\dbinom52)"},
     {"5/2", "2.5", R"(\binom{2}{5})", R"(\frac52)"}},
    {R"(\ln 2)", {R"(\log_e 2)", R"(\log 2)", R"(-\ln\frac12)", R"(\frac12\ln4)", "ln(2)", "ln 2", R"(\frac{\log 2}{\log e})"},
     {"0.693", R"(\log_2 2)", "0.6931471805599453", R"(\ln 3)", "2"}},
    {R"(\log_{10} 2)", {R"(\frac{\ln 2}{\ln 10})", R"(\lg 2)", R"(\log 2)"}, {}},
    {R"(\frac{n(n+1)}{2})", {"n(n+1)/2", R"(\frac{1}{2}n(n+1))", R"(\binom{n+1}{2})", R"(\frac{n^2+n}{2})", "0.5n^2+0.5n"},
     {"n(n-1)/2", "n^2", R"(\frac{k(k+1)}{2})"}},
    {"n!", {"n(n-1)!", R"(\frac{(n+1)!}{n+1})"},
     {"n", "(n+1)!"}},
    {"|x|", {"|{-x}|", R"(\sqrt{x^2})", "|-x|"},
     {"x", "-x"}},
    {R"(\ln(x^2))", {R"(\ln x^2)"}, {}},
    {"x^{2/3}", {R"(\sqrt[3]{x^2})", "(x^{1/3})^2"}, {}},
    {R"(\sqrt[3]{-8})", {"-2"}, {}},
    {R"(\sqrt{ab})", {R"(\sqrt{a}\sqrt{b})"}, {}},
    {"e^{2x}", {"(e^x)^2", R"(\exp(2x))", R"(e^x \cdot e^x)"},
     {"e^x", "2e^x", "e^{x^2}"}},
    {R"(\cos 2x)", {R"(\cos^2 x - \sin^2 x)", R"(2\cos^2 x-1)", R"(\cos(2x))"},
     {R"(2\cos x)", R"(\cos^2 x)", R"(\cos x)"}},
    {R"(2\sin x\cos x)", {R"(\sin 2x)", R"(\sin(2x))"}, {}},
    {R"(\sec x)", {R"(1/\cos x)", R"(\frac{1}{\cos x})"}, {}},
    {R"(5 \text{ m})", {"5", "5m", "5 m", "5 meters", R"(5\,\mathrm{m})", "5 metres"},
     {"5 cm", "5 km", "5 seconds", "6 m"}},
    {R"(5\text{ cm}^2)", {"5 cm^2", "5 square centimeters", "5 sq cm", R"(5\text{ cm}^{2})", "5 cm²"},
     {"5 cm", "5 cm^3"}},
    {R"(60\text{ km/h})", {"60 km/h", "60 kilometers per hour", "60 kph", "60"},
     {"60 mph", "60 m/s"}},
    {R"(45^\circ)", {"45", "45°", "45 degrees", R"(45^{\circ})", "45 deg", R"(x=45^\circ)"},
     {"45 radians", "54", R"(\frac{\pi}{4} \text{ degrees})"}},
    {R"(20^\circ\text{C})", {"20", "20°C", "20 degrees Celsius"},
     {"20°F"}},
    {R"(0.\overline{3})", {"1/3", R"(\frac13)"},
     {"0.3", "0.333"}},
    {R"(\frac{1}{7})", {R"(0.\overline{142857})"}, {}},
    {R"(6.02\times10^{23})", {"6.02e23", R"(602\times 10^{21})", "6.02 × 10²³", "6.02E23", "6.02*10^23"},
     {"6.02", "10^{23}", R"(6.02 \times 10^{-23})"}},
    {"x_1=2,x_2=3", {"x_1 = 2, x_2 = 3", "x_2=3, x_1=2", R"(x_{1}=2 \text{ and } x_{2}=3)"},
     {"x_1=3,x_2=2", "2,3"}},
    {"a=1,b=2", {"b=2, a=1", R"(a=1 \text{ and } b=2)", "(a,b)=(1,2)", "(1,2)"},
     {"a=2,b=1", "1,2", "2,1", "a=1", "(2,1)"}},
    {R"(-\frac{3}{4})", {R"(\frac{-3}{4})", R"(\frac{3}{-4})", "-0.75", "-3/4", "−3/4", R"(- \frac34)"},
     {"3/4", "-4/3"}},
    {R"(x \le 3)", {R"((-\infty,3])", "x≤3", R"(3 \ge x)", R"(x \leqslant 3)", "x<=3"},
     {"x<3", R"(x \ge 3)", "3", "x=3", R"([3,\infty))", R"(y \le 3)"}},
    {"x+y<1", {"y+x<1", "2x+2y<2", "1>x+y", "-x-y>-1"},
     {"x+y>1", R"(x+y\le1)", "-x-y<-1"}},
    {R"(\mathbb{R})", {R"((-\infty,\infty))", R"(\mathbb R)", "ℝ"},
     {R"(\mathbb{Z})", R"(\emptyset)"}},
    {"AB", {"AB"}, {}},
    {R"(3 \pmod 7)", {R"(3 \pmod{7})", R"(3 \pmod 7)"}, {}},
    {R"(1,2,\ldots,10)", {R"(1, 2, \dots, 10)"},
     {"1,2,10", "1,2,...,11"}},
    {"33", {"033", "33.0"}, {}},
    {"027", {"27"}, {}},
    {R"(11,\! 111,\! 111,\! 100)", {"11111111100"}, {}},
    {"52_8", {"52_{8}", "52_8"},
     {"52_9", "42", "25_8"}},
    {R"((3,\infty))", {"x>3", "3<x", R"((3, +\infty))"}, {}},
    {R"(\sum_{k=1}^{4} k^2)", {"30"}, {}},
    {R"(\prod_{i=1}^{5} i)", {"120"}, {}},
    {"72", {"72.", "$72", "72 clips", R"(\boxed{72}.)"},
     {"72 or 73", "72, 73", "7 2", "72 73", "27"}},
    {"2", {},
     {R"(\frac{2})", R"(\sqrt)", "2^", "(2", "2)", "{2", R"(\left(2)", R"(2\\)", R"(\boxed{2)", "2 +", "+", "-", "*2", "2*", "2//1",
      "2 = ", "= 2 =", R"(\frac{2}{0})", "2/0", "0^0", R"(\infty-\infty)", R"(\ln 0)", R"(2 \ne 2)"}},
    {"1", {},
     {"0.999..."}},
    {R"(\frac{9}{19})", {R"(\frac9{19})"}, {}},
    {"2x", {R"(2\cdot x)", "x+x", "2*x", "2 x"},
     {"x^2", "2", "2y", "x"}},
    {"xy", {"yx", "x y", R"(x\cdot y)", "xy"}, {}},
    {R"(\alpha+\beta)", {R"(\beta+\alpha)", "β+α"}, {}},
    {R"(\alpha)", {},
     {"a", R"(\beta)"}},
    {R"(\gcd(12,18))", {"6"}, {}},
    {R"(\max(3,5))", {"5"}, {}},
    {R"(\frac{a}{b})", {"a/b", "a b^{-1}"},
     {R"(\frac{b}{a})", "ab"}},
    {"4^{1/2}", {"2"}, {}},
    {"(-8)^{1/3}", {"-2"}, {}},
    {"i^i", {R"(e^{-\pi/2})"}, {}},
    {R"(\sqrt{-1})", {"i"}, {}},
    {R"(\cos 60^\circ)", {"0.5"}, {}},
    {R"(\sin\frac{\pi}{6})", {"1/2"}, {}},
    {R"(7.5\text{ hours})", {"7.5", "7.5 h", "7 1/2 hours"}, {}},
    {"3:4", {R"(\frac34)", "0.75", "6:8", "3 : 4"},
     {"4:3", "34", "3,4", "3:4:1"}},
    {"1:2:3", {"2:4:6", "1 : 2 : 3"},
     {"1:3:2", "1:2", "(1,2,3)", "6"}},
    {R"(\frac{\sqrt2}{2})", {R"(\frac{\sqrt{2}}{2} \approx 0.707)"}, {}},
    {"0.707", {},
     {R"(\frac{\sqrt{2}}{2} \approx 0.707)"}},
    {R"(3\times10^8)", {"3 x 10^8"}, {}},
    {"12", {"3 x 4", R"(3\cdot4 = 12)"},
     {"3x4", "3 x", R"(3 \cdot 5 = 12)", R"(3\cdot 4=13)"}},
    {R"(\{5\})", {"5", "x=5", R"(x \in \{5\})"}, {}},
    {R"(5\text{ km/h})", {R"(5\,\frac{\text{km}}{\text{h}})"},
     {R"(5\,\frac{\text{m}}{\text{s}})"}},
    {R"(5\%)", {"5 per cent"}, {}},
    {"Option 3", {"option 3"},
     {"Option 4", "3"}},
    {R"(\begin{pmatrix}1\\[4pt]2\end{pmatrix})", {R"(\begin{pmatrix}1\\2\end{pmatrix})"}, {}},
    {R"(\{(1,2),(3,4)\})", {"(1,2),(3,4)", R"((3,4) \text{ and } (1,2))"}, {}},
    {R"(\left(-\infty,-1\right]\cup[2,+\infty))", {R"(x \le -1 \text{ or } x \ge 2)", R"((-\infty,-1] \cup [2,\infty))"}, {}},
    {R"(\frac{1}{2}\left(3+\sqrt{5}\right))", {R"(\frac{3+\sqrt5}{2})", R"(\left(\frac{1+\sqrt{5}}{2}\right)^2)"}, {}},
    {"a_n=2^n", {"2^n", "a_n = 2^{n}"},
     {"a_n=2n", "b_n=2^n"}},
    {R"(2\sqrt{3}\text{ cm})", {R"(2\sqrt3)", R"(\sqrt{12} cm)"}, {}},
    {"n=2^k-1", {"2^k-1"}, {}},
    {R"(\frac{1}{2}mv^2)", {R"(\frac{mv^2}{2})", "0.5 m v^2", R"(\frac12 m v^{2})"},
     {R"(\frac12 (mv)^2)", "mv^2", R"(\frac12 m^2v)"}},
    {"2mghR^2", {"2 m g h R^2", "2R^2mgh"},
     {"2mghR", "2mgR^2"}},
    {R"(3 \cdot 4 = 12)", {"12", "12 = 12"}, {}},
    {R"(9.8\ \mathrm{m/s^2})", {R"(9.8 \text{ m/s}^2)", R"(9.8\text{ m}\cdot\text{s}^{-2})", "9.8 m/s^2",
         "9.8 meters per second squared"},
     {"9.8 m/s", R"(9.8 \text{ m s}^{2})"}},
    {"-2<x<2", {"|x|<2", "2>|x|", "(-2,2)"},
     {R"(|x|\le2)", "|x|>2", "|y|<2"}},
    {R"(x<-2 \text{ or } x>2)", {"|x|>2"}, {}},
    {R"(x\le-2 \text{ or } x\ge2)", {R"(|x|\ge 2)"}, {}},
    {R"(\begin{pmatrix}1/2&0\\0&3\end{pmatrix})", {R"(\frac12\begin{pmatrix}1&0\\0&6\end{pmatrix})",
         R"(-\begin{pmatrix}-1/2&0\\0&-3\end{pmatrix})"},
     {R"(\frac12\begin{pmatrix}1&0\\0&3\end{pmatrix})"}},
    {R"(\binom{2022}{1010})", {R"(\binom{2022}{1012})"}, {}},
    {"1,1,2", {"2,1,1", "1, 2, 1"},
     {"1,2", "1,2,2", "1,1,1,2"}},
    {"6", {},
     {"2 3", "2 3!/6"}},
    {"y=x+1", {},
     {"x=x+1", "x+1=y+x"}},
    {"2x-1", {},
     {"x=2x-1"}},
    {"7", {"7,", "7 ;", R"(7\text{ cm}/\text{s})"},
     {"7 or", "7 and", "7 maybe", "7$/", "7$ *", "7$²", "7 = is", "7 /", "7*", "7 cm/", "7 perhaps", "7 or.", "7 therefore 8"}},
  };
  // clang-format on
  return rows;
}

TEST(Verdicts, AreThoseOfTheTable) {
  for (const auto& [gold, equal, different] : table()) {
    for (const char* given : equal) {
      const MathVerdict verdict = compare(MathAnswer(gold), MathAnswer(given));
      EXPECT_EQ(verdict.agreement, Agreement::kEqual) << gold << " and " << given << ": " << verdict.reason;
    }
    for (const char* given : different) {
      const MathVerdict verdict = compare(MathAnswer(gold), MathAnswer(given));
      EXPECT_NE(verdict.agreement, Agreement::kEqual) << gold << " and " << given << ": " << verdict.reason;
    }
  }
}

TEST(Verdicts, NearlyIsNotEqual) {
  const std::pair<const char*, const char*> pairs[] = {
      {R"(\pi)", R"(\pi + 10^{-400})"},
      {R"(\pi)", R"(\pi + 10^{-3000})"},
      {R"(\pi)", R"(\pi + e^{-1000})"},
      {R"(10^{400}+\sqrt{2})", R"(10^{400}+\sqrt{3})"},
      {R"(e^{900}+\sqrt{2})", R"(e^{900}+\sqrt{3})"},
      {R"(e^{\pi\sqrt{163}})", "262537412640768744"},
      {R"(\sqrt{2})", "1.41421356237309504880168872420969807856967187537694807317667973799073247846210703885038753432764157273501384623"},
      {R"(\sqrt{2})", R"(\frac{14398739476117879}{10181446324101389})"},
      {"0", R"(10^{-3000})"},
      {R"(x+\sqrt{2})", R"(x+\sqrt{2}+10^{-500})"},
      {R"(\sqrt{x^2+1})", R"(\sqrt{x^2+1+10^{-90}})"},
      {R"((0, \sqrt{2}))", R"((0, \sqrt{2}+10^{-300}))"},
      {R"(\ln 2)", R"(\ln(2+10^{-200}))"},
      {R"(\tan^{-1}(10^{300}))", R"(\frac{\pi}{2})"},
  };
  for (const auto& [gold, given] : pairs) {
    EXPECT_FALSE(answers_equal(gold, given)) << gold << " and " << given;
    EXPECT_FALSE(answers_equal(given, gold)) << gold << " and " << given;
  }
}

TEST(Verdicts, OfTheTableAreSymmetricButForChoices) {
  for (const auto& [gold, equal, different] : table()) {
    if (std::string(gold) == R"(\text{(C)})") continue;  // the right answer alone says that a letter is a choice
    for (const char* given : equal) EXPECT_TRUE(answers_equal(given, gold)) << given << " and " << gold;
    for (const char* given : different) EXPECT_FALSE(answers_equal(given, gold)) << given << " and " << gold;
  }
}

TEST(Verdicts, EveryAnswerAcceptsItself) {
  for (const auto& [gold, equal, different] : table()) {
    EXPECT_TRUE(answers_equal(gold, gold)) << gold;
    for (const auto* list : {&equal, &different}) {
      for (const char* text : *list) EXPECT_EQ(answers_equal(text, text), MathAnswer(text).readable()) << text;
    }
  }
}

}  // namespace
}  // namespace grpo
