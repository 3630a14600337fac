export const texts = {
  'zh-CN': {
    title: '登录', forgotTitle: '找回密码', contact: '手机号或邮箱', captcha: '图形验证码', another: '换一张', send: '获取验证码',
    resend: '重新获取', code: '验证码', password: '新密码', repeat: '再输入一次', signIn: '登录', reset: '设置新密码',
    forgot: '忘记密码？', back: '返回登录', again: '没收到？换一条线路再发一次', done: '密码已更新，请用新密码登录。', out: '退出登录',
    agree: '没有账号时为我注册，并同意服务条款',
    status: { queued: '正在发送…', delayed: '发送较慢，请稍候。', sent: '已发送。', delivered: '已送达。', failed: '没有发送成功。', undelivered: '没有送达。' },
  },
  en: {
    title: 'Sign in', forgotTitle: 'Reset your password', contact: 'Mobile number or email', captcha: 'Text in the picture', another: 'Another picture',
    send: 'Send code', resend: 'Send again', code: 'Code', password: 'New password', repeat: 'Repeat the password', signIn: 'Sign in',
    reset: 'Set new password', forgot: 'Forgot your password?', back: 'Back to sign-in', again: 'Nothing came? Send it another way',
    done: 'Your password has been changed. Sign in with the new one.', out: 'Sign out',
    agree: 'Create an account for me if I have none; I agree to the terms',
    status: { queued: 'Sending…', delayed: 'This is taking longer than usual.', sent: 'Sent.', delivered: 'Delivered.', failed: 'It could not be sent.', undelivered: 'It did not arrive.' },
  },
};
