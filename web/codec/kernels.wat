;; The inner loops: convolution and its activations in float32, the entropy model's layers in
;; integers, and the range coder. Addresses are bytes. MADD stands for a * b + c: the build makes
;; one module of products and sums, and one of relaxed (fused) ones, where a browser has them; and
;; each of them again on memory that threads share.
(module
  (import "env" "memory" (memory 1))

  ;; ---- Convolution -------------------------------------------------------------------------
  ;; `count` pixels, `cols` a row. Pixel (y, x) reads `segments` runs of `run` floats: the first
  ;; from src + y * srcRow + x * srcPixel, each next one srcRow further. It writes 8 * blocks
  ;; floats to dst + y * dstRow + x * dstPixel. Weights are packed [block][segment][run][8]. With
  ;; bias = 0 the sums are added to what dst holds. `spare`: 32 * blocks bytes that may be spoiled.
  (func (export "conv")
    (param $src i32) (param $srcRow i32) (param $srcPixel i32)
    (param $cols i32) (param $count i32) (param $segments i32) (param $run i32)
    (param $weights i32) (param $bias i32) (param $blocks i32)
    (param $dst i32) (param $dstRow i32) (param $dstPixel i32) (param $spare i32)
    (local $first i32) (local $last i32) (local $block i32) (local $p i32) (local $q i32)
    (local $s0 i32) (local $s1 i32) (local $s2 i32) (local $s3 i32)
    (local $d0 i32) (local $d1 i32) (local $d2 i32) (local $d3 i32)
    (local $a0 i32) (local $a1 i32) (local $a2 i32) (local $a3 i32)
    (local $w i32) (local $w0 i32) (local $seg i32) (local $k i32) (local $panel i32)
    (local $x v128) (local $u v128) (local $v v128)
    (local $c00 v128) (local $c01 v128) (local $c10 v128) (local $c11 v128)
    (local $c20 v128) (local $c21 v128) (local $c30 v128) (local $c31 v128)
    (local.set $panel (i32.mul (i32.mul (local.get $segments) (local.get $run)) (i32.const 32)))
    (loop $chunks  ;; 256 pixels at a time: their inputs stay in the cache
      (local.set $last (i32.add (local.get $first) (i32.const 256)))
      (if (i32.gt_s (local.get $last) (local.get $count))
        (then (local.set $last (local.get $count))))
      (local.set $block (i32.const 0))
      (loop $all
        (local.set $w0 (i32.add (local.get $weights) (i32.mul (local.get $block) (local.get $panel))))
        (local.set $p (local.get $first))
        (loop $four
          (local.set $s0 (i32.add (local.get $src) (call $place (local.get $p) (local.get $cols) (local.get $srcRow) (local.get $srcPixel))))
          (local.set $d0 (i32.add (local.get $dst) (call $place (local.get $p) (local.get $cols) (local.get $dstRow) (local.get $dstPixel))))
          (local.set $s1 (local.get $s0)) (local.set $d1 (local.get $spare))
          (local.set $s2 (local.get $s0)) (local.set $d2 (local.get $spare))
          (local.set $s3 (local.get $s0)) (local.set $d3 (local.get $spare))
          (local.set $q (i32.add (local.get $p) (i32.const 1)))
          (if (i32.lt_s (local.get $q) (local.get $last)) (then
            (local.set $s1 (i32.add (local.get $src) (call $place (local.get $q) (local.get $cols) (local.get $srcRow) (local.get $srcPixel))))
            (local.set $d1 (i32.add (local.get $dst) (call $place (local.get $q) (local.get $cols) (local.get $dstRow) (local.get $dstPixel))))))
          (local.set $q (i32.add (local.get $p) (i32.const 2)))
          (if (i32.lt_s (local.get $q) (local.get $last)) (then
            (local.set $s2 (i32.add (local.get $src) (call $place (local.get $q) (local.get $cols) (local.get $srcRow) (local.get $srcPixel))))
            (local.set $d2 (i32.add (local.get $dst) (call $place (local.get $q) (local.get $cols) (local.get $dstRow) (local.get $dstPixel))))))
          (local.set $q (i32.add (local.get $p) (i32.const 3)))
          (if (i32.lt_s (local.get $q) (local.get $last)) (then
            (local.set $s3 (i32.add (local.get $src) (call $place (local.get $q) (local.get $cols) (local.get $srcRow) (local.get $srcPixel))))
            (local.set $d3 (i32.add (local.get $dst) (call $place (local.get $q) (local.get $cols) (local.get $dstRow) (local.get $dstPixel))))))
          (local.set $q (i32.mul (local.get $block) (i32.const 32)))
          (local.set $d0 (i32.add (local.get $d0) (local.get $q)))
          (local.set $d1 (i32.add (local.get $d1) (local.get $q)))
          (local.set $d2 (i32.add (local.get $d2) (local.get $q)))
          (local.set $d3 (i32.add (local.get $d3) (local.get $q)))
          (if (local.get $bias)
            (then
              (local.set $q (i32.add (local.get $bias) (local.get $q)))
              (local.set $c00 (v128.load (local.get $q)))
              (local.set $c01 (v128.load offset=16 (local.get $q)))
              (local.set $c10 (local.get $c00)) (local.set $c11 (local.get $c01))
              (local.set $c20 (local.get $c00)) (local.set $c21 (local.get $c01))
              (local.set $c30 (local.get $c00)) (local.set $c31 (local.get $c01)))
            (else
              (local.set $c00 (v128.load (local.get $d0))) (local.set $c01 (v128.load offset=16 (local.get $d0)))
              (local.set $c10 (v128.load (local.get $d1))) (local.set $c11 (v128.load offset=16 (local.get $d1)))
              (local.set $c20 (v128.load (local.get $d2))) (local.set $c21 (v128.load offset=16 (local.get $d2)))
              (local.set $c30 (v128.load (local.get $d3))) (local.set $c31 (v128.load offset=16 (local.get $d3)))))
          (local.set $w (local.get $w0))
          (local.set $seg (i32.const 0))
          (loop $runs
            (local.set $a0 (local.get $s0)) (local.set $a1 (local.get $s1))
            (local.set $a2 (local.get $s2)) (local.set $a3 (local.get $s3))
            (local.set $k (local.get $run))
            (loop $inner
              (local.set $u (v128.load (local.get $w)))
              (local.set $v (v128.load offset=16 (local.get $w)))
              (local.set $x (v128.load32_splat (local.get $a0)))
              (local.set $c00 MADD(x, u, c00))
              (local.set $c01 MADD(x, v, c01))
              (local.set $x (v128.load32_splat (local.get $a1)))
              (local.set $c10 MADD(x, u, c10))
              (local.set $c11 MADD(x, v, c11))
              (local.set $x (v128.load32_splat (local.get $a2)))
              (local.set $c20 MADD(x, u, c20))
              (local.set $c21 MADD(x, v, c21))
              (local.set $x (v128.load32_splat (local.get $a3)))
              (local.set $c30 MADD(x, u, c30))
              (local.set $c31 MADD(x, v, c31))
              (local.set $u (v128.load offset=32 (local.get $w)))
              (local.set $v (v128.load offset=48 (local.get $w)))
              (local.set $x (v128.load32_splat offset=4 (local.get $a0)))
              (local.set $c00 MADD(x, u, c00))
              (local.set $c01 MADD(x, v, c01))
              (local.set $x (v128.load32_splat offset=4 (local.get $a1)))
              (local.set $c10 MADD(x, u, c10))
              (local.set $c11 MADD(x, v, c11))
              (local.set $x (v128.load32_splat offset=4 (local.get $a2)))
              (local.set $c20 MADD(x, u, c20))
              (local.set $c21 MADD(x, v, c21))
              (local.set $x (v128.load32_splat offset=4 (local.get $a3)))
              (local.set $c30 MADD(x, u, c30))
              (local.set $c31 MADD(x, v, c31))
              (local.set $a0 (i32.add (local.get $a0) (i32.const 8)))
              (local.set $a1 (i32.add (local.get $a1) (i32.const 8)))
              (local.set $a2 (i32.add (local.get $a2) (i32.const 8)))
              (local.set $a3 (i32.add (local.get $a3) (i32.const 8)))
              (local.set $w (i32.add (local.get $w) (i32.const 64)))
              (br_if $inner (local.tee $k (i32.sub (local.get $k) (i32.const 2)))))
            (local.set $s0 (i32.add (local.get $s0) (local.get $srcRow)))
            (local.set $s1 (i32.add (local.get $s1) (local.get $srcRow)))
            (local.set $s2 (i32.add (local.get $s2) (local.get $srcRow)))
            (local.set $s3 (i32.add (local.get $s3) (local.get $srcRow)))
            (local.set $seg (i32.add (local.get $seg) (i32.const 1)))
            (br_if $runs (i32.lt_s (local.get $seg) (local.get $segments))))
          (v128.store (local.get $d0) (local.get $c00)) (v128.store offset=16 (local.get $d0) (local.get $c01))
          (v128.store (local.get $d1) (local.get $c10)) (v128.store offset=16 (local.get $d1) (local.get $c11))
          (v128.store (local.get $d2) (local.get $c20)) (v128.store offset=16 (local.get $d2) (local.get $c21))
          (v128.store (local.get $d3) (local.get $c30)) (v128.store offset=16 (local.get $d3) (local.get $c31))
          (local.set $p (i32.add (local.get $p) (i32.const 4)))
          (br_if $four (i32.lt_s (local.get $p) (local.get $last))))
        (local.set $block (i32.add (local.get $block) (i32.const 1)))
        (br_if $all (i32.lt_s (local.get $block) (local.get $blocks))))
      (local.set $first (local.get $last))
      (br_if $chunks (i32.lt_s (local.get $first) (local.get $count)))))

  (func $place (param $p i32) (param $cols i32) (param $row i32) (param $pixel i32) (result i32)
    (local $y i32)
    (local.set $y (i32.div_u (local.get $p) (local.get $cols)))
    (i32.add
      (i32.mul (local.get $y) (local.get $row))
      (i32.mul (i32.sub (local.get $p) (i32.mul (local.get $y) (local.get $cols))) (local.get $pixel))))

  ;; ---- Activations -------------------------------------------------------------------------
  ;; 1 / (1 + e^-x): e^x as 2^n * e^r with |r| <= ln 2 / 2, and a polynomial for e^r.
  (func $sigmoid (param $x v128) (result v128)
    (local $n v128) (local $r v128) (local $y v128)
    (local.set $x (f32x4.neg (f32x4.max (f32x4.min (local.get $x) (f32x4.splat (f32.const 80))) (f32x4.splat (f32.const -80)))))
    (local.set $n (f32x4.nearest (f32x4.mul (local.get $x) (f32x4.splat (f32.const 1.44269504)))))
    (local.set $r (f32x4.sub (local.get $x) (f32x4.mul (local.get $n) (f32x4.splat (f32.const 0.693359375)))))
    (local.set $r (f32x4.add (local.get $r) (f32x4.mul (local.get $n) (f32x4.splat (f32.const 2.12194440e-4)))))
    (local.set $y (f32x4.splat (f32.const 1.3888889e-3)))
    (local.set $y (f32x4.add (f32x4.mul (local.get $y) (local.get $r)) (f32x4.splat (f32.const 8.3333333e-3))))
    (local.set $y (f32x4.add (f32x4.mul (local.get $y) (local.get $r)) (f32x4.splat (f32.const 4.1666667e-2))))
    (local.set $y (f32x4.add (f32x4.mul (local.get $y) (local.get $r)) (f32x4.splat (f32.const 0.16666667))))
    (local.set $y (f32x4.add (f32x4.mul (local.get $y) (local.get $r)) (f32x4.splat (f32.const 0.5))))
    (local.set $y (f32x4.add (f32x4.mul (local.get $y) (local.get $r)) (f32x4.splat (f32.const 1))))
    (local.set $y (f32x4.add (f32x4.mul (local.get $y) (local.get $r)) (f32x4.splat (f32.const 1))))
    (local.set $n (i32x4.shl (i32x4.add (i32x4.trunc_sat_f32x4_s (local.get $n)) (i32x4.splat (i32.const 127))) (i32.const 23)))
    (f32x4.div (f32x4.splat (f32.const 1))
      (f32x4.add (f32x4.splat (f32.const 1)) (f32x4.mul (local.get $y) (local.get $n)))))

  ;; In place, `count` runs of `run` floats (a multiple of 4), `stride` bytes apart:
  ;; sigmoid(x), or tanh(x) = 2 sigmoid(2x) - 1.
  (func (export "activate") (param $at i32) (param $count i32) (param $stride i32) (param $run i32) (param $tanh i32)
    (local $p i32) (local $end i32) (local $x v128)
    (if (i32.eqz (local.get $count)) (then (return)))
    (loop $all
      (local.set $p (local.get $at))
      (local.set $end (i32.add (local.get $at) (i32.shl (local.get $run) (i32.const 2))))
      (loop $four
        (local.set $x (v128.load (local.get $p)))
        (if (local.get $tanh)
          (then
            (local.set $x (call $sigmoid (f32x4.add (local.get $x) (local.get $x))))
            (local.set $x (f32x4.sub (f32x4.add (local.get $x) (local.get $x)) (f32x4.splat (f32.const 1)))))
          (else (local.set $x (call $sigmoid (local.get $x)))))
        (v128.store (local.get $p) (local.get $x))
        (br_if $four (i32.lt_u (local.tee $p (i32.add (local.get $p) (i32.const 16))) (local.get $end))))
      (local.set $at (i32.add (local.get $at) (local.get $stride)))
      (br_if $all (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))

  ;; ---- A layer of the entropy model --------------------------------------------------------
  ;; x: 2 * pairs int16. Weights: int16 [block of 16 outputs][pair][16][2]. Bias: int32, what
  ;; rounding adds included. Shifts: two bytes for each output, left and right. Table: int16
  ;; (or uint16), entry 0 is that of -half. Out: int16. `outputs` numbers are written.
  (func (export "layer")
    (param $x i32) (param $pairs i32) (param $weights i32) (param $outputs i32) (param $bias i32)
    (param $shifts i32) (param $table i32) (param $half i32) (param $out i32) (param $sums i32)
    (local $end i32) (local $p i32) (local $n i32) (local $i i32)
    (local $v v128) (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local.set $end (i32.add (local.get $x) (i32.shl (local.get $pairs) (i32.const 2))))
    (loop $blocks
      (local.set $p (local.get $x))
      (local.set $a (v128.const i32x4 0 0 0 0))
      (local.set $b (local.get $a)) (local.set $c (local.get $a)) (local.set $d (local.get $a))
      (loop $inner
        (local.set $v (v128.load32_splat (local.get $p)))
        (local.set $a (i32x4.add (local.get $a) (i32x4.dot_i16x8_s (local.get $v) (v128.load (local.get $weights)))))
        (local.set $b (i32x4.add (local.get $b) (i32x4.dot_i16x8_s (local.get $v) (v128.load offset=16 (local.get $weights)))))
        (local.set $c (i32x4.add (local.get $c) (i32x4.dot_i16x8_s (local.get $v) (v128.load offset=32 (local.get $weights)))))
        (local.set $d (i32x4.add (local.get $d) (i32x4.dot_i16x8_s (local.get $v) (v128.load offset=48 (local.get $weights)))))
        (local.set $weights (i32.add (local.get $weights) (i32.const 64)))
        (br_if $inner (i32.lt_u (local.tee $p (i32.add (local.get $p) (i32.const 4))) (local.get $end))))
      (v128.store (local.get $sums) (local.get $a))
      (v128.store offset=16 (local.get $sums) (local.get $b))
      (v128.store offset=32 (local.get $sums) (local.get $c))
      (v128.store offset=48 (local.get $sums) (local.get $d))
      (local.set $n (select (i32.const 16) (local.get $outputs) (i32.gt_s (local.get $outputs) (i32.const 16))))
      (local.set $outputs (i32.sub (local.get $outputs) (local.get $n)))
      (local.set $p (local.get $sums))
      (loop $each
        (local.set $i
          (i32.add
            (i32.shr_s
              (i32.shl (i32.add (i32.load (local.get $p)) (i32.load (local.get $bias))) (i32.load8_u (local.get $shifts)))
              (i32.load8_u offset=1 (local.get $shifts)))
            (local.get $half)))
        (if (i32.lt_s (local.get $i) (i32.const 0)) (then (local.set $i (i32.const 0))))
        (if (i32.ge_s (local.get $i) (i32.shl (local.get $half) (i32.const 1)))
          (then (local.set $i (i32.sub (i32.shl (local.get $half) (i32.const 1)) (i32.const 1)))))
        (i32.store16 (local.get $out) (i32.load16_u (i32.add (local.get $table) (i32.shl (local.get $i) (i32.const 1)))))
        (local.set $p (i32.add (local.get $p) (i32.const 4)))
        (local.set $bias (i32.add (local.get $bias) (i32.const 4)))
        (local.set $shifts (i32.add (local.get $shifts) (i32.const 2)))
        (local.set $out (i32.add (local.get $out) (i32.const 2)))
        (br_if $each (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (br_if $blocks (i32.gt_s (local.get $outputs) (i32.const 0)))))

  ;; ---- The range decoder -------------------------------------------------------------------
  ;; state: point - lower (64 bits), range (64), the address of the next word (32), and where
  ;; words end (32): zeros follow. Reads `count` probabilities (uint16), writes bits (bytes).
  ;; Returns 1, or 0 where no encoder wrote this.
  (func (export "decode") (param $state i32) (param $p i32) (param $count i32) (param $out i32) (result i32)
    (local $point i64) (local $range i64) (local $next i32) (local $end i32)
    (local $scale i64) (local $zeros i64) (local $below i64)
    (if (i32.eqz (local.get $count)) (then (return (i32.const 1))))
    (local.set $point (i64.load (local.get $state)))
    (local.set $range (i64.load offset=8 (local.get $state)))
    (local.set $next (i32.load offset=16 (local.get $state)))
    (local.set $end (i32.load offset=20 (local.get $state)))
    (loop $bits
      (local.set $zeros
        (i64.add
          (i64.shr_u
            (i64.mul (i64.sub (i64.const 65536) (i64.load16_u (local.get $p))) (i64.const 16777214))
            (i64.const 16))
          (i64.const 1)))
      (local.set $scale (i64.shr_u (local.get $range) (i64.const 24)))
      (local.set $below (i64.mul (local.get $scale) (local.get $zeros)))
      (if (i64.ge_u (local.get $point) (i64.shl (local.get $scale) (i64.const 24)))
        (then (return (i32.const 0))))
      (if (i64.lt_u (local.get $point) (local.get $below))
        (then
          (i32.store8 (local.get $out) (i32.const 0))
          (local.set $range (local.get $below)))
        (else
          (i32.store8 (local.get $out) (i32.const 1))
          (local.set $point (i64.sub (local.get $point) (local.get $below)))
          (local.set $range (i64.mul (local.get $scale) (i64.sub (i64.const 16777216) (local.get $zeros))))))
      (if (i64.lt_u (local.get $range) (i64.const 0x100000000))
        (then
          (local.set $range (i64.shl (local.get $range) (i64.const 32)))
          (local.set $point (i64.shl (local.get $point) (i64.const 32)))
          (if (i32.lt_u (local.get $next) (local.get $end))
            (then
              (local.set $point (i64.or (local.get $point) (i64.load32_u (local.get $next))))
              (local.set $next (i32.add (local.get $next) (i32.const 4)))))))
      (local.set $p (i32.add (local.get $p) (i32.const 2)))
      (local.set $out (i32.add (local.get $out) (i32.const 1)))
      (br_if $bits (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
    (i64.store (local.get $state) (local.get $point))
    (i64.store offset=8 (local.get $state) (local.get $range))
    (i32.store offset=16 (local.get $state) (local.get $next))
    (i32.const 1))
)
